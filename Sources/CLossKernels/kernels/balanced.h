// The losses that a balanced term takes (arithmetic 8).
#ifndef CLOSS_KERNELS_BALANCED_H
#define CLOSS_KERNELS_BALANCED_H

#include "kernels/channel_terms.h"

// n0 of positives and n1 of the others, as `activate` has them. Of a probability that is one logarithm, not two.
LANES_INLINE vf32 balanced_loss(closs_activation activation, vf32 input, vi32 positive) {
    if (activation == CLOSS_PROBABILITIES) {
        vf32 q = 1 - input;
        vf32 loss = negative_log(f32_select(positive, input, q));
        return f32_select(positive, loss, loss + (input - (1 - q)));
    }
    channel_values x = {.input = input};
    activate(activation, 1, &x);
    return f32_select(positive, x.n0, x.n1);
}

#endif
