// The passes that find out which negatives a balanced term takes (arithmetic 8).
#ifndef CLOSS_DRIVER_SELECTION_PASSES_H
#define CLOSS_DRIVER_SELECTION_PASSES_H

#include "driver/part.h"
#include "driver/sweep.h"

// One stage of the balanced term over the batch, for all samples of the part.
sweep_fault selection_pass(const part *p, int stage, int64_t *totals, uint32_t *histograms);

// The balanced term over the batch, which the part is all of, in as few sweeps as can be. `losses` 0: the gradient's
// pass will add them up.
sweep_fault selection_batch_pass(const part *p, int losses, int64_t *totals, uint32_t *histograms);

// The same where the positives and negatives were counted before, in that order.
sweep_fault selection_counted_pass(const part *p, const int64_t *counts, int losses, int64_t *totals,
                                   uint32_t *histograms);

// The balanced term sample by sample, all stages; `group` has room for one group's words.
sweep_fault selection_samples_pass(const part *p, int losses, int64_t *totals, int64_t *group, uint32_t *histograms);

// For each sample of the part the number after its last tie that is taken, counted in values from its first.
void find_tie_ends(const part *p, const int64_t *coefficients, int64_t *tie_ends);

#endif
