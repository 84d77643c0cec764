// What the makers of voxel weights are given: labels or a mask, the map, and scratch.
#ifndef CLOSS_API_WEIGHT_MAP_H
#define CLOSS_API_WEIGHT_MAP_H

#include "api/refuse.h"

typedef struct weight_map_buffers {
    closs_target target;
    const void *labels;
    size_t labels_count;
    const float *map;
    size_t map_count;
    const void *scratch;
    size_t scratch_bytes;
} weight_map_buffers;

// Refuses buffers that are missing, not of `values` each, or overlap.
closs_status check_weight_map(const weight_map_buffers *b, size_t values, size_t scratch_needed, closs_error *error);

#endif
