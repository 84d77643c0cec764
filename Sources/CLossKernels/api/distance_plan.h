// What the spec of a distance transform stands for.
#ifndef CLOSS_API_DISTANCE_PLAN_H
#define CLOSS_API_DISTANCE_PLAN_H

#include "kernels/distance_job.h"

typedef struct distance_plan {
    distance_job job;
    const distance_kernels *kernels;
    int threads;
    int64_t values; // of the map
} distance_plan;

closs_status distance_resolve(const closs_distance_spec *spec, distance_plan *plan, closs_error *error);

#endif
