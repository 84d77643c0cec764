// The passes that find out which negatives a balanced term takes (arithmetic 8).
#ifndef CLOSS_DRIVER_SELECTION_PASSES_H
#define CLOSS_DRIVER_SELECTION_PASSES_H

#include "driver/part.h"
#include "driver/sweep.h"

// Of the caller's scratch.
typedef struct selection_memory {
    int64_t *group;       // room for one group's words, of a scope of samples
    int64_t *tie_ends;    // [samples]
    uint32_t *histograms; // [threads][WINDOW_BINS]
} selection_memory;

// One stage of the balanced term over the batch, for all samples of the part.
sweep_fault selection_pass(const part *p, int stage, int64_t *totals, const selection_memory *memory);

// The balanced term over the batch, which the part is all of, in as few sweeps as can be. `losses` 0: the gradient's
// pass will add them up.
sweep_fault selection_batch_pass(const part *p, int losses, int64_t *totals, const selection_memory *memory);

// The same where the positives and negatives were counted before, in that order.
sweep_fault selection_counted_pass(const part *p, const int64_t *counts, int losses, int64_t *totals,
                                   const selection_memory *memory);

// The balanced term sample by sample, all stages.
sweep_fault selection_samples_pass(const part *p, int losses, int64_t *totals, const selection_memory *memory);

// For each sample of the part the number after its last tie that is taken, counted in values from its first.
void find_tie_ends(const part *p, const int64_t *coefficients, int64_t *tie_ends);

#endif
