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

LANES_INLINE vf32 focal_alpha(int simple, const pointwise_formula *term, int channel, const channel_values *x) {
    float alpha = term->class_alpha ? term->class_alpha[channel] : term->alpha;
    float beta = term->class_beta ? term->class_beta[channel] : term->beta;
    if (simple) return f32_select(x->positive, f32_splat(alpha), f32_splat(beta));
    return f32_fma(f32_splat(alpha), x->g, beta * x->b);
}

// 1 - p_t.
LANES_INLINE vf32 focal_miss(int simple, const channel_values *x) {
    if (simple) return f32_select(x->positive, x->q, x->p);
    return f32_fma(x->g, x->q, x->b * x->p);
}

LANES_INLINE vf32 focal_loss(int simple, const pointwise_formula *term, int channel, const channel_values *x) {
    vf32 factor, derivative;
    focal_factor(term, focal_miss(simple, x), &factor, &derivative);
    return focal_alpha(simple, term, channel, x) * (factor * binary_loss(simple, x, 1));
}

LANES_INLINE vf32 focal_slope(int simple, const pointwise_formula *term, int channel, const channel_values *x) {
    vf32 factor, derivative;
    focal_factor(term, focal_miss(simple, x), &factor, &derivative);
    vf32 slope = factor * binary_slope(simple, x, 1);
    if (!(term->gamma_is_small_integer && term->gamma == 0)) {
        vf32 spread = x->p * x->q;
        vf32 turn = simple ? f32_select(x->positive, -spread, spread) : (x->b - x->g) * spread;
        slope = f32_fma(derivative * turn, binary_loss(simple, x, 1), slope);
    }
    return focal_alpha(simple, term, channel, x) * slope;
}

LANES_INLINE vf32 channel_difference(const channel_values *x) {
    return error_difference(x->positive, x->p, x->q, x->g);
}

LANES_INLINE vf32 channel_map(const pointwise_formula *term, const run *at, const channel_values *x) {
    return term->distances ? f32_load(distances_at(at, term, 0)) : x->map;
}

// ---------------------------------------------------------------------------------------------- special terms ----

// What a term with options makes of one vector (arithmetic 5.6). One function computes all of it, and is called: such
// terms are dearer than a call, and copies of it in every walk would only swell the code.
typedef struct special_values {
    vf32 loss, slope;  // without the voxel weight; the slope by the logit or the probability
    vf32 factor, turn; // a focal loss's modulating factor and its derivative
} special_values;

// -log p and -log q, and what the derivatives are made of: by the logit q and p, by the probability 1/p and 1/q.
typedef struct special_logs {
    vf32 n0, n1, k0, k1;
} special_logs;

// -log(y + offset), y being short of `lost`; what the sum loses comes back to first order.
LANES_INLINE vf32 offset_log(vf32 y, vf32 lost, float offset, vf32 *reciprocal) {
    vf32 sum = y + offset, added = sum - y;
    vf32 rest = (y - (sum - added)) + (offset - added);
    *reciprocal = 1 / sum;
    return negative_log(sum) - (rest - lost) * *reciprocal;
}

LANES_INLINE special_logs logs_of(const pointwise_formula *term, const channel_values *x) {
    if (!(term->log_offset > 0)) return (special_logs){x->n0, x->n1, x->q, x->p};
    special_logs l;
    l.n0 = offset_log(x->p, f32_splat(0), term->log_offset, &l.k0);
    l.n1 = offset_log(x->q, x->input - (1 - x->q), term->log_offset, &l.k1);
    return l;
}

LANES_INLINE void special_binary(const pointwise_formula *term, int channel, const channel_values *x,
                                 special_values *out) {
    channel_values y = smoothed(term, x);
    special_logs l = logs_of(term, x);
    vf32 positive = term->positive_weight[channel] * y.g, b = term->positives_only ? f32_splat(0) : y.b;
    if (term->weighs_positives) positive = positive * x->weight;
    out->loss = f32_fma(positive, l.n0, b * l.n1);
    out->slope = f32_fma(-positive, l.k0, b * l.k1);
    out->factor = out->turn = f32_splat(0);
}

// u, p_t and the derivative of u.
typedef struct focal_aim {
    vf32 miss, hit, turn;
} focal_aim;

// Of the sigmoid of (1 - 2 g) x. What both roundings lose of that is put back: a power would make it large.
LANES_INLINE focal_aim logit_aim(const channel_values *x) {
    vf32 twice = x->g + x->g, away = 1 - twice, low = (1 - away) - twice;
    channel_values turned = {.input = away * x->input};
    activate(CLOSS_SIGMOID, 0, &turned);
    vf32 lost = f32_fma(low, x->input, f32_fma(away, x->input, -turned.input));
    vf32 spread = turned.p * turned.q, more = spread * lost;
    return (focal_aim){turned.p + more, turned.q - more, away * spread};
}

LANES_INLINE focal_aim aim_of(const pointwise_formula *term, const channel_values *x) {
    vf32 spread = term->by_probability ? f32_splat(1) : x->p * x->q;
    if (term->positives_only) return (focal_aim){x->q, x->p, -spread};
    if (term->by_logit) return logit_aim(x);
    vf32 away = x->b - x->g;
    return (focal_aim){f32_fma(x->g, x->q, x->b * x->p), f32_fma(x->g, x->p, x->b * x->q), away * spread};
}

// The factor of a reduced focal loss: (u / T)^gamma, 1 where p_t is below T.
LANES_INLINE void reduced_factor(const pointwise_formula *term, const focal_aim *aim, vf32 *factor, vf32 *derivative) {
    vf32 u = aim->miss / term->threshold;
    vi32 whole = aim->hit < term->threshold;
    if (term->gamma_is_small_integer) {
        focal_factor(term, u, factor, derivative);
    } else {
        vf32 held = f32_larger(u, f32_splat(0x1p-126f));
        *factor = f32_keep(u >= 0x1p-126f, power_of(held, f32_splat(term->gamma)));
        *derivative = term->gamma * (*factor / held);
    }
    *factor = f32_select(whole, f32_splat(1), *factor);
    *derivative = f32_keep(~whole, *derivative / term->threshold);
}

LANES_INLINE void special_focal(const pointwise_formula *term, int channel, const channel_values *x,
                                special_values *out) {
    special_logs l = logs_of(term, x);
    focal_aim aim = aim_of(term, x);
    vf32 b = term->positives_only ? f32_splat(0) : x->b;
    vf32 balance = term->positives_only ? f32_splat(term->class_alpha ? term->class_alpha[channel] : term->alpha)
                                        : focal_alpha(0, term, channel, x);
    vf32 entropy = f32_fma(x->g, l.n0, b * l.n1), slope = f32_fma(-x->g, l.k0, b * l.k1), derivative;
    if (term->threshold > 0)
        reduced_factor(term, &aim, &out->factor, &derivative);
    else
        focal_factor(term, aim.miss, &out->factor, &derivative);
    out->loss = balance * (out->factor * entropy);
    out->turn = f32_splat(0);
    if (!(term->gamma_is_small_integer && term->gamma == 0)) {
        out->turn = derivative * aim.turn;
        slope = f32_fma(out->turn, entropy, out->factor * slope);
    }
    out->slope = balance * slope;
}

LANES_INLINE void focal_star(const pointwise_formula *term, const channel_values *x, special_values *out) {
    vf32 away = x->b - x->g;
    channel_values turned = {.input = f32_fma(term->gamma * away, x->input, f32_splat(-term->shift))};
    activate(CLOSS_SIGMOID, 1, &turned);
    vf32 balance = focal_alpha(0, term, 0, x);
    out->loss = balance * (turned.n1 / term->gamma);
    out->slope = balance * (away * turned.p);
    out->factor = out->turn = f32_splat(0);
}

LANES_OUTLINED void special_term(const pointwise_formula *term, int channel, const channel_values *x,
                                 special_values *out) {
    switch (term->kind) {
    case CLOSS_FOCAL: special_focal(term, channel, x, out); break;
    case CLOSS_FOCAL_STAR: focal_star(term, x, out); break;
    default: special_binary(term, channel, x, out); break;
    }
}

// ------------------------------------------------------------------------------------------------- every term ----

LANES_INLINE vf32 pointwise_loss(int simple, const pointwise_formula *term, const run *at, const channel_values *x) {
    if (!simple && term->special) {
        special_values own;
        special_term(term, at->channel, x, &own);
        return own.loss;
    }
    if (is_error(term->kind)) return error_loss(term, x->p, channel_difference(x), channel_map(term, at, x));
    if (term->kind == CLOSS_FOCAL) return focal_loss(simple, term, at->channel, x);
    if (term->plain) return binary_loss(simple, x, 1);
    channel_values y = smoothed(term, x);
    return binary_loss(0, &y, term->positive_weight[at->channel]);
}

LANES_INLINE vf32 pointwise_slope(int simple, const pointwise_formula *term, const run *at, const channel_values *x) {
    if (!simple && term->special) {
        special_values own;
        special_term(term, at->channel, x, &own);
        return own.slope;
    }
    if (term->kind == CLOSS_FOCAL) return focal_slope(simple, term, at->channel, x);
    if (term->plain) return binary_slope(simple, x, 1);
    channel_values y = smoothed(term, x);
    return binary_slope(0, &y, term->positive_weight[at->channel]);
}

#endif
