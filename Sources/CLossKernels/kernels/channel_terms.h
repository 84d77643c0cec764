// What a channel's terms make of one vector of values: probabilities and their logarithms, binary cross entropy, focal
// and the errors, each with its derivative (arithmetic 5).
#ifndef CLOSS_KERNELS_CHANNEL_TERMS_H
#define CLOSS_KERNELS_CHANNEL_TERMS_H

#include "kernels/elementary.h"
#include "kernels/error.h"

// One vector of values.
typedef struct channel_values {
    vi32 valid, positive; // positive: g is 1; what a simple walk goes by
    vf32 input;           // logit or probability
    vf32 g, b;            // target and 1 - target
    vf32 weight;          // v
    vf32 p, q;            // probability and its complement
    vf32 n0, n1;          // -log p and -log q
    vf32 map;             // what a linear term multiplies
} channel_values;

// -log(y) of a probability, held at 100 (arithmetic 5).
LANES_INLINE vf32 negative_log(vf32 y) {
    vi32 tiny = y < 0x1p-126f;
    vf32 log = log_positive(y * f32_select(tiny, f32_splat(0x1p+24f), f32_splat(1)));
    vf32 loss = f32_select(tiny, f32_splat(0x1.0a2b24p+4f), f32_splat(0)) - log;
    loss = f32_select(loss < 100, loss, f32_splat(100));
    return f32_select(y > 0, loss, f32_splat(100));
}

LANES_INLINE void activate(closs_activation activation, int logarithms, channel_values *x) {
    if (activation == CLOSS_PROBABILITIES) {
        x->p = x->input;
        x->q = 1 - x->input;
        if (!logarithms) return;
        x->n0 = negative_log(x->p);
        // What 1 - p lost of a small p comes back to first order; the bracket is exact.
        x->n1 = negative_log(x->q) + (x->input - (1 - x->q));
        return;
    }
    vf32 e = exp_nonpositive(-f32_abs(x->input));
    vf32 large = 1 / (1 + e), small = e * large;
    vi32 positive = x->input >= 0;
    x->p = f32_select(positive, large, small);
    x->q = f32_select(positive, small, large);
    if (!logarithms) return;
    vf32 l = log1p_unit(e), above_zero = f32_larger(x->input, f32_splat(0));
    x->n0 = (above_zero - x->input) + l;
    x->n1 = above_zero + l;
}

// -------------------------------------------------------------------------------------------- pointwise terms ----

// The targets that label smoothing leaves.
LANES_INLINE channel_values smoothed(const pointwise_formula *term, const channel_values *x) {
    channel_values y = *x;
    if (term->flipped > 0) {
        y.g = f32_fma(f32_splat(term->kept), x->g, term->flipped * x->b);
        y.b = f32_fma(f32_splat(term->kept), x->b, term->flipped * x->g);
    }
    return y;
}

LANES_INLINE vf32 binary_loss(int simple, const channel_values *x, float positive_weight) {
    if (simple) return f32_select(x->positive, x->n0, x->n1);
    return f32_fma(positive_weight * x->g, x->n0, x->b * x->n1);
}

LANES_INLINE vf32 binary_slope(int simple, const channel_values *x, float positive_weight) {
    if (simple) return f32_select(x->positive, -x->q, x->p);
    return f32_fma(-(positive_weight * x->g), x->q, x->b * x->p);
}

// The modulating factor u^gamma and its derivative by u.
LANES_INLINE void focal_factor(const pointwise_formula *term, vf32 u, vf32 *factor, vf32 *derivative) {
    int power = term->gamma_is_small_integer ? (int)term->gamma : -1;
    switch (power) {
    case 0: *factor = f32_splat(1), *derivative = f32_splat(0); break;
    case 1: *factor = u, *derivative = f32_splat(1); break;
    case 2: *factor = u * u, *derivative = 2 * u; break;
    case 3: *factor = (u * u) * u, *derivative = 3 * (u * u); break;
    default: {
        // Zero and subnormals, where log(u) and the quotient are not to be had; the loss there is below every quantum.
        vi32 normal = u >= 0x1p-126f;
        *factor = f32_keep(normal, exp_nonpositive(term->gamma * log_positive(u)));
        *derivative = f32_keep(normal, term->gamma * (*factor / u));
    }
    }
}

LANES_INLINE vf32 focal_alpha(int simple, const pointwise_formula *term, const channel_values *x) {
    if (simple) return f32_select(x->positive, f32_splat(term->alpha), f32_splat(term->beta));
    return f32_fma(f32_splat(term->alpha), x->g, term->beta * x->b);
}

// 1 - p_t.
LANES_INLINE vf32 focal_miss(int simple, const channel_values *x) {
    if (simple) return f32_select(x->positive, x->q, x->p);
    return f32_fma(x->g, x->q, x->b * x->p);
}

LANES_INLINE vf32 focal_loss(int simple, const pointwise_formula *term, const channel_values *x) {
    vf32 factor, derivative;
    focal_factor(term, focal_miss(simple, x), &factor, &derivative);
    return focal_alpha(simple, term, x) * (factor * binary_loss(simple, x, 1));
}

LANES_INLINE vf32 focal_slope(int simple, const pointwise_formula *term, const channel_values *x) {
    vf32 factor, derivative;
    focal_factor(term, focal_miss(simple, x), &factor, &derivative);
    vf32 slope = factor * binary_slope(simple, x, 1);
    if (!(term->gamma_is_small_integer && term->gamma == 0)) {
        vf32 spread = x->p * x->q;
        vf32 turn = simple ? f32_select(x->positive, -spread, spread) : (x->b - x->g) * spread;
        slope = f32_fma(derivative * turn, binary_loss(simple, x, 1), slope);
    }
    return focal_alpha(simple, term, x) * slope;
}

LANES_INLINE vf32 channel_difference(const channel_values *x) {
    return error_difference(x->positive, x->p, x->q, x->g);
}

LANES_INLINE vf32 pointwise_loss(int simple, const pointwise_formula *term, const run *at, const channel_values *x) {
    if (is_error(term->kind)) return error_loss(term, x->p, channel_difference(x), x->map);
    if (term->kind == CLOSS_FOCAL) return focal_loss(simple, term, x);
    if (term->plain) return binary_loss(simple, x, 1);
    channel_values y = smoothed(term, x);
    return binary_loss(0, &y, term->positive_weight[at->channel]);
}

LANES_INLINE vf32 pointwise_slope(int simple, const pointwise_formula *term, const run *at, const channel_values *x) {
    if (term->kind == CLOSS_FOCAL) return focal_slope(simple, term, x);
    if (term->plain) return binary_slope(simple, x, 1);
    channel_values y = smoothed(term, x);
    return binary_slope(0, &y, term->positive_weight[at->channel]);
}

#endif
