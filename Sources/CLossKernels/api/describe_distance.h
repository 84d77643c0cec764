// What a term that measures distances stands for (arithmetic 13).
#ifndef CLOSS_API_DESCRIBE_DISTANCE_H
#define CLOSS_API_DESCRIBE_DISTANCE_H

#include "api/distance_plan.h"
#include "terms/plan.h"

// Of a term that was checked, with the maps that this gave. The term stays the caller's.
distance_term distance_describe(const closs_term *term, int64_t classes, const distance_plan *maps);

#endif
