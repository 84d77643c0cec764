// Which values of a block a selection term takes, once its threshold is known (arithmetic 8).
#ifndef CLOSS_KERNELS_TAKEN_H
#define CLOSS_KERNELS_TAKEN_H

#include "kernels/formula.h"
#include "kernels/lanes.h"

// Values above the threshold, and those at it whose number is below the tie end. `first` is the block's in the run that
// the coefficients are for.
LANES_INLINE vi32 taken_lanes(const run_coefficients *k, vf32 ranked, int64_t first) {
    int64_t left = k->tie_end - first;
    int32_t tied_lanes = left < 0 ? 0 : left > LANES ? LANES : (int32_t)left;
    return (ranked > k->threshold) | ((ranked == k->threshold) & (lane_numbers() < tied_lanes));
}

#endif
