// Terms that measure distances: what they may ask for.
#ifndef CLOSS_API_CHECK_DISTANCE_H
#define CLOSS_API_CHECK_DISTANCE_H

#include "api/distance_plan.h"
#include "api/refuse.h"
#include "terms/plan.h"

// The extents that a spec gives, if it gives any.
closs_status check_extents(const closs_spec *spec, closs_error *error);

// `maps` are those of all such terms, in their order: this one's are resolved.
closs_status check_distance(const closs_spec *spec, int64_t i, distance_plan *maps, closs_error *error);

#endif
