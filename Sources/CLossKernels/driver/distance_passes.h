// A distance transform over samples, classes and threads (arithmetic 12).
#ifndef CLOSS_DRIVER_DISTANCE_PASSES_H
#define CLOSS_DRIVER_DISTANCE_PASSES_H

#include "kernels/distance_job.h"

// Room for the squares of steps across rows and planes.
size_t distance_squares_bytes(const distance_job *job);

// Fills it, and points the job there.
void distance_fill_squares(distance_job *job, char *room);

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
    char *blocks; // [rooms] for a block each
    int rooms;    // as many threads work on blocks
} distance_maps;

// Rooms that the blocks of so many maps take: one for each thread that has a block to work on.
int distance_rooms(const distance_job *job, int64_t maps, int threads);

void distance_rows_pass(const distance_maps *maps);
void distance_blocks_pass(const distance_maps *maps);

#endif
