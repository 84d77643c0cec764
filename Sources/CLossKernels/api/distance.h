// What of a distance transform's plan others use: its checks and its metric.
#ifndef CLOSS_API_DISTANCE_H
#define CLOSS_API_DISTANCE_H

#include "api/refuse.h"
#include "kernels/distance_job.h"

// What a spec stands for.
typedef struct distance_plan {
    distance_job job;
    const distance_kernels *kernels;
    int threads;
    int64_t values; // of the map
} distance_plan;

closs_status distance_resolve(const closs_distance_spec *spec, distance_plan *plan, closs_error *error);

#endif
