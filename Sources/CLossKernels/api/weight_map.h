// What the makers of voxel weights have in common: their sizes, threads and buffers.
#ifndef CLOSS_API_WEIGHT_MAP_H
#define CLOSS_API_WEIGHT_MAP_H

#include "api/refuse.h"
#include "kernels/rooms.h"

// Values of a map, so that no number of bytes made of them leaves 63 bits; the messages say 2^56.
#define WEIGHT_MAP_MOST_VALUES ((int64_t)1 << 56)

// Threads for a map of so many values, each of which may have a room of its own.
int weight_map_threads(int requested, int64_t values);

typedef struct weight_map_buffers {
    closs_target target;
    const void *labels;
    size_t labels_count;
    const float *map;
    size_t map_count;
    const void *scratch;
    size_t scratch_bytes;
} weight_map_buffers;

// Refuses buffers that are missing, not of `values` each, or overlap, and scratch below `least_scratch`.
closs_status check_weight_map(const weight_map_buffers *b, size_t values, size_t least_scratch, closs_error *error);

#endif
