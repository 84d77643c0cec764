// A sweep: rows of voxels, cut into runs and dealt to threads.
//
// Totals do not depend on the cuts (arithmetic 6.2), so each thread takes one stretch of blocks, as even as can be.
#ifndef CLOSS_DRIVER_SWEEP_H
#define CLOSS_DRIVER_SWEEP_H

#include "terms/plan.h"

// Works on `voxels` voxels of a row from `first` on.
typedef fault sweep_body(void *context, int thread, int64_t row, int64_t first, int64_t voxels);

// What a sweep looks at, and so what a fault of it can be.
enum {
    SEES_TARGETS = 1,
    SEES_WEIGHTS = 2,
    SEES_INPUT = 4,
    SEES_LOSSES = 8,          // of blocks
    SEES_BALANCED_LOSSES = 16 // of single values
};

typedef struct sweep {
    int64_t first_row, rows;
    int64_t voxels; // of each row
    int threads;    // at most
    int backwards;  // from the end to the beginning: what the last sweep read last is still in the cache
    int sees;
    sweep_body *body;
    void *context;
} sweep;

// Where a sweep met a fault: the first run, in memory order, that has one.
typedef struct sweep_fault {
    int found;
    int sees; // of the sweep
    int64_t row, first, voxels;
} sweep_fault;

sweep_fault run_sweep(const sweep *s);

enum { VALUES_PER_THREAD = 16384 };

// Threads worth having for so many values: a thread costs more than a few thousand of them.
int threads_for(int threads, int64_t values);

#endif
