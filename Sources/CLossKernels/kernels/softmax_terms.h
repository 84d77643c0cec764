// What a softmax's terms see of a block: its labels, and the curve that each makes of a class's likelihood (arithmetic
// 4.2).
#ifndef CLOSS_KERNELS_SOFTMAX_TERMS_H
#define CLOSS_KERNELS_SOFTMAX_TERMS_H

#include "kernels/channel_terms.h"
#include "kernels/lookup.h"

// A block, as its labels have it. Label maps are made of areas: most blocks hold one label, which then is a scalar.
typedef struct block_labels {
    int uniform;
    int one;   // the label of a uniform block
    vi32 each; // of others, -1 where the voxel does not count
    vi32 valid;
} block_labels;

LANES_INLINE block_labels uniform_labels(int label) {
    return (block_labels){.uniform = 1, .one = label, .each = i32_splat(label), .valid = i32_splat(-1)};
}

LANES_INLINE block_labels mixed_labels(vi32 each) { return (block_labels){.each = each, .valid = each >= 0}; }

// One vector in the lanes of class c, the other elsewhere.
LANES_INLINE vf32 pick_by_class(const block_labels *labels, int c, vf32 here, vf32 elsewhere) {
    if (labels->uniform) return labels->one == c ? here : elsewhere;
    return f32_select(labels->each == c, here, elsewhere);
}

// The one value in the lanes of class c, the other elsewhere.
LANES_INLINE vf32 by_class(const block_labels *labels, int c, float here, float elsewhere) {
    if (labels->uniform) return f32_splat(labels->one == c ? here : elsewhere);
    return f32_select(labels->each == c, f32_splat(here), f32_splat(elsewhere));
}

// The entry of a table by class that belongs to each voxel's label.
LANES_INLINE vf32 by_label(const block_labels *labels, const float *table, int classes) {
    if (labels->uniform) return f32_splat(table[labels->one]);
    return f32_lookup(table, classes, labels->each);
}

// a * b + c with one rounding, of single values.
LANES_INLINE float one_fma(float a, float b, float c) { return f32_fma(f32_splat(a), f32_splat(b), f32_splat(c))[0]; }

// f and s.
typedef struct curve {
    vf32 value, slope;
} curve;

static const float SMALLEST_NORMAL = 0x1p-126f;

LANES_INLINE curve exponent_curve(const pointwise_formula *term, vf32 n) {
    vf32 held = f32_larger(n, f32_splat(SMALLEST_NORMAL)), power = power_of(held, f32_splat(term->exponent));
    return (curve){power, term->exponent * (power / held)};
}

LANES_INLINE curve focal_curve(const pointwise_formula *term, vf32 n, vf32 miss, vf32 p, vf32 gamma) {
    vf32 factor, derivative;
    if (term->gamma_is_small_integer && !term->class_gamma) {
        if (term->gamma == 0) return (curve){n, f32_splat(1)};
        focal_factor(term, miss, &factor, &derivative);
    } else {
        vf32 held = f32_larger(miss, f32_splat(SMALLEST_NORMAL));
        factor = power_of(held, gamma);
        derivative = gamma * (factor / held);
    }
    return (curve){factor * n, f32_fma(derivative * p, n, factor)};
}

// From the negative log-likelihood, the probability and its complement.
LANES_INLINE curve curve_at(const pointwise_formula *term, vf32 n, vf32 miss, vf32 p, vf32 gamma) {
    if (term->kind == CLOSS_FOCAL) return focal_curve(term, n, miss, p, gamma);
    if (term->has_exponent) return exponent_curve(term, n);
    return (curve){n, f32_splat(1)};
}

// A logit as a channel of its own.
LANES_INLINE channel_values sigmoid_of(vf32 logit, vf32 target) {
    channel_values x = {.input = logit, .g = target, .b = 1 - target};
    activate(CLOSS_SIGMOID, 1, &x);
    return x;
}

LANES_OUTLINED void sigmoid_loss(const pointwise_formula *term, int c, const vf32 *logit, const vf32 *target,
                                 vf32 *loss) {
    channel_values x = sigmoid_of(*logit, *target);
    run channel = {.channel = c};
    *loss = pointwise_loss(0, term, &channel, &x);
}

LANES_OUTLINED void sigmoid_slope(const pointwise_formula *term, int c, const vf32 *logit, const vf32 *target,
                                  vf32 *slope) {
    channel_values x = sigmoid_of(*logit, *target);
    run channel = {.channel = c};
    *slope = pointwise_slope(0, term, &channel, &x);
}

#endif
