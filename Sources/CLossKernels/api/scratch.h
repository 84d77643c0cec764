// What the caller's scratch is used for. At most one per cent of the logits' bytes plus 64 KiB, for batches whose
// totals are small beside their logits; and what terms that measure distances and a Lovasz term need, which is more.
#ifndef CLOSS_API_SCRATCH_H
#define CLOSS_API_SCRATCH_H

#include "driver/lovasz_passes.h"
#include "driver/selection_passes.h"
#include "terms/plan.h"

typedef struct scratch {
    int64_t *totals; // of the call, before the caller's are touched
    int64_t *coefficients;
    int64_t *balanced_losses; // [samples][2]
    selection_memory selection;
    void *distances; // of terms that measure distances
    lovasz_memory lovasz;
} scratch;

size_t scratch_bytes(const closs_plan *plan);

// Threads that may have a histogram of their own within the limit; at least 1.
int scratch_selection_threads(const closs_plan *plan);

// The scratch laid out in the caller's memory.
scratch scratch_in(const closs_plan *plan, void *memory);

#endif
