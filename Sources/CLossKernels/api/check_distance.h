// Terms that measure distances: what they may ask for, and what that stands for.
#ifndef CLOSS_API_CHECK_DISTANCE_H
#define CLOSS_API_CHECK_DISTANCE_H

#include "api/refuse.h"
#include "terms/plan.h"

// The extents that a spec gives, if it gives any.
closs_status check_extents(const closs_spec *spec, closs_error *error);

closs_status check_distance(const closs_spec *spec, int64_t i, closs_error *error);

// What a term that was checked stands for. `of` is left to the caller.
void distance_describe(const closs_spec *spec, int64_t i, distance_term *described);

#endif
