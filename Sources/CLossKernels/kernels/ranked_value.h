// A channel's value under a selection term that ranks losses (arithmetic 8.6, 8.7): its loss by the formula of what is
// ranked, or of what is taken, weights included, and the slope of that without the voxel's weight.
#ifndef CLOSS_KERNELS_RANKED_VALUE_H
#define CLOSS_KERNELS_RANKED_VALUE_H

#include "kernels/channel_terms.h"
#include "kernels/taken.h"

LANES_INLINE vf32 ranked_channel_loss(const pointwise_formula *term, const run *at, const channel_values *x) {
    return (term->target_factor[at->channel] * binary_loss(0, x, 1)) * x->weight;
}

LANES_INLINE vf32 ranked_channel_slope(const pointwise_formula *term, const run *at, const channel_values *x) {
    return term->target_factor[at->channel] * binary_slope(0, x, 1);
}

LANES_INLINE vf32 ranked_error(const channel_values *x) { return f32_abs(channel_difference(x)); }

// A balanced L1 term's positives, and the negatives that it takes, added to the slope by the probability.
LANES_INLINE vf32 ranked_error_slope(const run_coefficients *k, const channel_values *x, int64_t first, vf32 slope) {
    vi32 positive = x->map > 0, taken = x->valid & (positive | taken_lanes(k, ranked_error(x), first));
    vf32 factor = f32_select(positive, f32_splat(k->balanced), f32_splat(k->ranked));
    return f32_select(taken, f32_fma(factor, error_sign(channel_difference(x)), slope), slope);
}

#endif
