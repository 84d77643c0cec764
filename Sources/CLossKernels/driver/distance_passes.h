// A distance transform over samples, classes and threads (arithmetic 12).
#ifndef CLOSS_DRIVER_DISTANCE_PASSES_H
#define CLOSS_DRIVER_DISTANCE_PASSES_H

#include "kernels/distance_job.h"

typedef struct distance_maps {
    const distance_job *job;
    const distance_kernels *kernels;
    closs_target target;
    const char *labels;
    const int64_t *classes; // NULL: 0, 1, ...
    int class_count, threads;
    int64_t samples;
    int32_t *steps; // [samples][class_count][voxels]; of float maps the map itself
    char *map;
    char *blocks; // [threads] rooms for a block
} distance_maps;

// Bytes of the squares of steps along rows and planes, and where those lie in memory of that size, aligned as doubles are.
size_t distance_squares_bytes(const distance_job *job);
void distance_place_squares(distance_job *job, void *room);

void distance_rows_pass(const distance_maps *maps);
void distance_blocks_pass(const distance_maps *maps);

#endif
