// The pass of a Lovasz term: the errors of a part, and of each problem the sort, the loss and the slopes.
#ifndef CLOSS_DRIVER_LOVASZ_PASSES_H
#define CLOSS_DRIVER_LOVASZ_PASSES_H

#include "driver/part.h"
#include "driver/sweep.h"
#include "kernels/lovasz_job.h"

typedef struct lovasz_memory {
    float *values;          // errors, then slopes, as lovasz_layout_of says
    lovasz_record *records; // two rooms for each problem that is sorted at a time
    lovasz_chunk *chunks;   // [threads]
} lovasz_memory;

// Bytes of the memory, each room a multiple of 64.
size_t lovasz_memory_bytes(const closs_plan *plan);

lovasz_memory lovasz_memory_in(const closs_plan *plan, void *memory);

// Ranks the errors of a part, which is whole samples or the whole batch. Writes the problems' words into `totals`
// (NULL: not wanted), and where they are wanted leaves the slopes in the memory.
sweep_fault lovasz_pass(const part *p, int slopes, int64_t *totals, const lovasz_memory *memory);

#endif
