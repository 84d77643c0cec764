// One channel at a time, through the sigmoid or given as probabilities: binary cross entropy, focal, region terms, and
// the balanced term's gradient (arithmetic 5 and 8).
//
// `activation`, `terms` and `mode` are constants wherever a caller passes some, so that each kernel in the table below
// holds only what it needs.
#ifndef CLOSS_KERNELS_CHANNEL_H
#define CLOSS_KERNELS_CHANNEL_H

#include "kernels/block.h"
#include "kernels/elementary.h"
#include "kernels/exact.h"
#include "kernels/order.h"
#include "kernels/softmax.h"

// Which terms a copy of the walk can hold.
typedef enum channel_terms { ANY_TERMS, ONLY_REGION, ONE_BINARY, ONE_FOCAL_2, ONLY_BALANCED } channel_terms;

// One vector of values.
typedef struct channel_values {
    i32x16 valid;
    f32x16 input;      // logit or probability
    f32x16 g, b;       // target and 1 - target
    f32x16 weight;     // v
    f32x16 p, q;       // probability and its complement
    f32x16 n0, n1;     // -log p and -log q
} channel_values;

typedef struct channel_sums {
    u64x16 product, probability, square, target, target_square;
    u64x16 loss[CLOSS_MAX_TERMS], weight[CLOSS_MAX_TERMS];
    i32x16 count, valid, bad;
    f32x16 not_finite;
    int64_t blocks;
} channel_sums;

// ------------------------------------------------------------------------------------------------- one vector ----

// The label that makes a channel's target 1.
LANES_INLINE int positive_label(const formula *f, const run *at) { return f->classes == 1 ? 1 : at->channel; }

LANES_INLINE int label_count(const formula *f) { return f->classes == 1 ? 2 : f->classes; }

// Targets of one vector, and which of its values count.
LANES_INLINE void load_target(const formula *f, const run *at, int v, channel_values *x, i32x16 *bad) {
    i32x16 counted = load_mask(at, v);
    if (at->target == CLOSS_DENSE_F32) {
        x->g = f32_load((const float *)at->targets + v * LANES);
        i32x16 possible = f->balanced ? (x->g == 0) | (x->g == 1) : (x->g >= 0) & (x->g <= 1);
        *bad |= counted & ~possible;
        x->valid = counted & possible;
        x->g = f32_keep(x->valid, x->g);
    } else {
        i32x16 ignored, label = load_labels(f, at, v, &ignored);
        int dense = at->target == CLOSS_DENSE_U8;
        i32x16 possible = (label >= 0) & (label < (dense ? 2 : label_count(f)));
        counted &= ~ignored;
        *bad |= counted & ~possible;
        x->valid = counted & possible;
        x->g = f32_keep(x->valid & (label == (dense ? 1 : positive_label(f, at))), f32_splat(1));
    }
    x->b = 1 - x->g;
}

// -log(y) of a probability, held at 100 (arithmetic 5).
LANES_INLINE f32x16 negative_log(f32x16 y) {
    i32x16 tiny = y < 0x1p-126f;
    f32x16 log = log_positive(y * f32_select(tiny, f32_splat(0x1p+24f), f32_splat(1)));
    f32x16 loss = f32_select(tiny, f32_splat(0x1.0a2b24p+4f), f32_splat(0)) - log;
    loss = f32_select(loss < 100, loss, f32_splat(100));
    return f32_select(y > 0, loss, f32_splat(100));
}

LANES_INLINE void activate(closs_activation activation, channel_values *x) {
    if (activation == CLOSS_PROBABILITIES) {
        x->p = x->input;
        x->q = 1 - x->input;
        x->n0 = negative_log(x->p);
        // What 1 - p lost of a small p comes back to first order; the bracket is exact.
        x->n1 = negative_log(x->q) + (x->input - (1 - x->q));
        return;
    }
    f32x16 e = exp_nonpositive(-f32_abs(x->input));
    f32x16 large = 1 / (1 + e), small = e * large;
    i32x16 positive = x->input >= 0;
    x->p = f32_select(positive, large, small);
    x->q = f32_select(positive, small, large);
    f32x16 l = log1p_unit(e), above_zero = f32_larger(x->input, f32_splat(0));
    x->n0 = (above_zero - x->input) + l;
    x->n1 = above_zero + l;
}

// -------------------------------------------------------------------------------------------- pointwise terms ----

LANES_INLINE f32x16 binary_loss(const channel_values *x, float positive_weight) {
    return f32_fma(positive_weight * x->g, x->n0, x->b * x->n1);
}

LANES_INLINE f32x16 binary_slope(const channel_values *x, float positive_weight) {
    return f32_fma(-(positive_weight * x->g), x->q, x->b * x->p);
}

// The modulating factor u^gamma and its derivative by u.
LANES_INLINE void focal_factor(const pointwise_formula *term, f32x16 u, f32x16 *factor, f32x16 *derivative) {
    int power = term->gamma_is_small_integer ? (int)term->gamma : -1;
    switch (power) {
    case 0: *factor = f32_splat(1), *derivative = f32_splat(0); break;
    case 1: *factor = u, *derivative = f32_splat(1); break;
    case 2: *factor = u * u, *derivative = 2 * u; break;
    case 3: *factor = (u * u) * u, *derivative = 3 * (u * u); break;
    default: {
        // Zero and subnormals, where log(u) and the quotient are not to be had; the loss there is below every quantum.
        i32x16 normal = u >= 0x1p-126f;
        *factor = f32_keep(normal, exp_nonpositive(term->gamma * log_positive(u)));
        *derivative = f32_keep(normal, term->gamma * (*factor / u));
    }
    }
}

LANES_INLINE f32x16 focal_alpha(const pointwise_formula *term, const channel_values *x) {
    return f32_fma(f32_splat(term->alpha), x->g, term->beta * x->b);
}

LANES_INLINE f32x16 focal_loss(const pointwise_formula *term, const channel_values *x) {
    f32x16 factor, derivative;
    focal_factor(term, f32_fma(x->g, x->q, x->b * x->p), &factor, &derivative);
    return focal_alpha(term, x) * (factor * binary_loss(x, 1));
}

LANES_INLINE f32x16 focal_slope(const pointwise_formula *term, const channel_values *x) {
    f32x16 factor, derivative;
    focal_factor(term, f32_fma(x->g, x->q, x->b * x->p), &factor, &derivative);
    f32x16 slope = factor * binary_slope(x, 1);
    if (!(term->gamma_is_small_integer && term->gamma == 0))
        slope = f32_fma(derivative * ((x->b - x->g) * (x->p * x->q)), binary_loss(x, 1), slope);
    return focal_alpha(term, x) * slope;
}

LANES_INLINE f32x16 pointwise_loss(const pointwise_formula *term, const run *at, const channel_values *x) {
    if (term->kind == CLOSS_FOCAL) return focal_loss(term, x);
    return binary_loss(x, term->plain ? 1 : term->positive_weight[at->channel]);
}

LANES_INLINE f32x16 pointwise_slope(const pointwise_formula *term, const run *at, const channel_values *x) {
    if (term->kind == CLOSS_FOCAL) return focal_slope(term, x);
    return binary_slope(x, term->plain ? 1 : term->positive_weight[at->channel]);
}

// ----------------------------------------------------------------------------------------------------- totals ----

LANES_INLINE void total_channel_region(const formula *f, const run *at, channel_values values[BLOCK_VECTORS],
                                       channel_sums *sums) {
    f32x16 p[BLOCK_VECTORS], product[BLOCK_VECTORS];
    for (int v = 0; v < BLOCK_VECTORS; v++) {
        p[v] = f32_keep(values[v].valid, values[v].p);
        product[v] = p[v] * values[v].g;
    }
    exact_add(&sums->probability, block_tree(p), PROBABILITY_ANCHOR);
    exact_add(&sums->product, block_tree(product), PROBABILITY_ANCHOR);
    if (f->squares) {
        for (int v = 0; v < BLOCK_VECTORS; v++) p[v] *= p[v];
        exact_add(&sums->square, block_tree(p), PROBABILITY_ANCHOR);
    }
    if (at->target != CLOSS_DENSE_F32) {
        for (int v = 0; v < BLOCK_VECTORS; v++) sums->count -= values[v].g == 1;
        return;
    }
    f32x16 g[BLOCK_VECTORS];
    for (int v = 0; v < BLOCK_VECTORS; v++) g[v] = values[v].g;
    exact_add(&sums->target, block_tree(g), PROBABILITY_ANCHOR);
    for (int v = 0; v < BLOCK_VECTORS; v++) g[v] *= g[v];
    exact_add(&sums->target_square, block_tree(g), PROBABILITY_ANCHOR);
}

LANES_INLINE void total_pointwise(const pointwise_formula *term, int k, const run *at,
                                  channel_values values[BLOCK_VECTORS], channel_sums *sums) {
    f32x16 loss[BLOCK_VECTORS];
    for (int v = 0; v < BLOCK_VECTORS; v++)
        loss[v] = f32_keep(values[v].valid, pointwise_loss(term, at, &values[v]) * values[v].weight);
    f32x16 t = block_tree(loss);
    sums->bad |= beyond_limit(t);
    exact_add(&sums->loss[k], t, LOSS_ANCHOR);
}

// The weight of a value is the same for every pointwise term of a channel.
LANES_INLINE void total_weight(channel_values values[BLOCK_VECTORS], channel_sums *sums) {
    f32x16 weight[BLOCK_VECTORS];
    for (int v = 0; v < BLOCK_VECTORS; v++) weight[v] = values[v].weight;
    f32x16 t = block_tree(weight);
    sums->bad |= beyond_limit(t);
    exact_add(&sums->weight[0], t, LOSS_ANCHOR);
}

LANES_INLINE void total_block(const formula *f, const run *at, channel_terms terms,
                              channel_values values[BLOCK_VECTORS], channel_sums *sums) {
    if (terms == ONLY_REGION || (terms == ANY_TERMS && f->region)) total_channel_region(f, at, values, sums);
    if (terms == ONE_BINARY || terms == ONE_FOCAL_2) total_pointwise(&f->pointwise[0], 0, at, values, sums);
    if (terms == ANY_TERMS)
        for (int k = 0; k < f->pointwise_count; k++) total_pointwise(&f->pointwise[k], k, at, values, sums);
    if (at->weights) total_weight(values, sums);
    for (int v = 0; v < BLOCK_VECTORS; v++) sums->valid -= values[v].valid;
    sums->blocks++;
}

// --------------------------------------------------------------------------------------------------- gradient ----

// Values that the balanced term counts: positives, and negatives that the threshold selects.
LANES_INLINE i32x16 balanced_lanes(const run_coefficients *k, const channel_values *x, int64_t first) {
    u32x16 key = key_of(x->input);
    i32x16 hard = key > k->threshold;
    i32x16 tied = key == k->threshold;
    int64_t left = k->tie_end - first;
    int32_t tied_lanes = left < 0 ? 0 : left > LANES ? LANES : (int32_t)left;
    return x->valid & ((x->g == 1) | hard | (tied & (lane_numbers() < tied_lanes)));
}

LANES_INLINE f32x16 pointwise_gradient(const formula *f, const run *at, const run_coefficients *k, channel_terms terms,
                                       const channel_values *x, int64_t first) {
    f32x16 slope = {0};
    int count = terms == ONE_BINARY || terms == ONE_FOCAL_2 ? 1 : terms == ANY_TERMS ? f->pointwise_count : 0;
    for (int i = 0; i < count; i++)
        slope = f32_fma(k->pointwise[i] * x->weight, pointwise_slope(&f->pointwise[i], at, x), slope);
    if (terms == ONLY_BALANCED || (terms == ANY_TERMS && f->balanced)) {
        f32x16 factor = f32_keep(balanced_lanes(k, x, first), f32_splat(k->balanced));
        slope = f32_fma(factor, binary_slope(x, 1), slope);
    }
    return slope;
}

LANES_INLINE f32x16 region_gradient(const run_coefficients *k, const channel_values *x) {
    f32x16 by_target = f32_fma(f32_splat(k->target[0]), x->g, f32_splat(k->constant[0]));
    return f32_fma(f32_splat(k->probability[0]), x->p, by_target);
}

LANES_INLINE f32x16 channel_gradient(const formula *f, const run *at, const run_coefficients *k,
                                     closs_activation activation, channel_terms terms, const channel_values *x,
                                     int64_t first) {
    int region = terms == ONLY_REGION || (terms == ANY_TERMS && f->region);
    int pointwise = terms != ONLY_REGION && (terms != ANY_TERMS || f->pointwise_count || f->balanced);
    f32x16 slope = pointwise ? pointwise_gradient(f, at, k, terms, x, first) : f32_splat(0);
    f32x16 spread = x->p * x->q;
    if (activation == CLOSS_SIGMOID)
        slope = region ? f32_fma(spread, region_gradient(k, x), slope) : slope;
    else {
        if (pointwise) slope = slope / f32_larger(spread, f32_splat(1e-12f));
        if (region) slope = pointwise ? region_gradient(k, x) + slope : region_gradient(k, x);
    }
    return f32_keep(x->valid, slope);
}

// ------------------------------------------------------------------------------------------------------ walks ----

LANES_INLINE void check_input(closs_activation activation, const run *at, int v, f32x16 input, channel_sums *sums) {
    sums->not_finite = f32_fma(input, f32_splat(0), sums->not_finite);
    if (activation == CLOSS_PROBABILITIES) sums->bad |= ~((input >= 0) & (input <= 1)) & lanes_inside(at, v);
}

LANES_INLINE void channel_block(const formula *f, const run *at, const run_coefficients *k,
                                closs_activation activation, channel_terms terms, int mode, int64_t first,
                                channel_sums *sums) {
    channel_values values[BLOCK_VECTORS];
    for (int v = 0; v < BLOCK_VECTORS; v++) {
        channel_values *x = &values[v];
        x->input = f32_load(at->logits + v * LANES);
        check_input(activation, at, v, x->input, sums);
        load_target(f, at, v, x, &sums->bad);
        x->weight = decode_weights(at, v, x->valid, &sums->bad);
        activate(activation, x);
    }
    if (mode & MODE_TOTALS) total_block(f, at, terms, values, sums);
    if (mode & MODE_GRADIENT)
        for (int v = 0; v < BLOCK_VECTORS; v++)
            store_gradient(at->gradient + v * LANES,
                           channel_gradient(f, at, k, activation, terms, &values[v], first + v * LANES), at->store);
}

LANES_INLINE void channel_blocks(const formula *f, const run *whole, const run_coefficients *k,
                                 closs_activation activation, channel_terms terms, int mode, channel_sums *sums) {
    int64_t first = 0;
    FOR_EACH_BLOCK(whole, at, 1, {
        channel_block(f, &at, k, activation, terms, mode, first, sums);
        first += BLOCK_VOXELS;
    });
}

LANES_INLINE channel_terms terms_of(const formula *f) {
    if (f->balanced) return f->region || f->pointwise_count ? ANY_TERMS : ONLY_BALANCED;
    if (f->region) return f->pointwise_count ? ANY_TERMS : ONLY_REGION;
    if (f->pointwise_count > 1) return ANY_TERMS;
    const pointwise_formula *term = &f->pointwise[0];
    if (term->kind == CLOSS_BINARY_CROSS_ENTROPY) return term->plain ? ONE_BINARY : ANY_TERMS;
    return term->gamma_is_small_integer && term->gamma == 2 ? ONE_FOCAL_2 : ANY_TERMS;
}

// The formula of ONE_BINARY and ONE_FOCAL_2 with its choices as constants.
LANES_INLINE formula narrowed(const formula *f, channel_terms terms) {
    formula narrow = *f;
    if (terms == ONE_BINARY) {
        narrow.pointwise[0].kind = CLOSS_BINARY_CROSS_ENTROPY;
        narrow.pointwise[0].plain = 1;
    } else if (terms == ONE_FOCAL_2) {
        narrow.pointwise[0].kind = CLOSS_FOCAL;
        narrow.pointwise[0].gamma_is_small_integer = 1;
        narrow.pointwise[0].gamma = 2;
    }
    return narrow;
}

LANES_INLINE void channel_by_terms(const formula *f, const run *whole, const run_coefficients *k,
                                   closs_activation activation, int mode, channel_sums *sums) {
    switch (terms_of(f)) {
    case ONLY_REGION: channel_blocks(f, whole, k, activation, ONLY_REGION, mode, sums); break;
    case ONLY_BALANCED: channel_blocks(f, whole, k, activation, ONLY_BALANCED, mode, sums); break;
    case ONE_BINARY: {
        formula narrow = narrowed(f, ONE_BINARY);
        channel_blocks(&narrow, whole, k, activation, ONE_BINARY, mode, sums);
        break;
    }
    case ONE_FOCAL_2: {
        formula narrow = narrowed(f, ONE_FOCAL_2);
        channel_blocks(&narrow, whole, k, activation, ONE_FOCAL_2, mode, sums);
        break;
    }
    default: channel_blocks(f, whole, k, activation, ANY_TERMS, mode, sums); break;
    }
}

LANES_INLINE void channel_walk(const formula *f, const run *whole, const run_coefficients *k, int mode,
                               channel_sums *sums) {
    if (f->activation == CLOSS_SIGMOID)
        channel_by_terms(f, whole, k, CLOSS_SIGMOID, mode, sums);
    else
        channel_by_terms(f, whole, k, CLOSS_PROBABILITIES, mode, sums);
}

static fault finish_channel_sums(const formula *f, const run *whole, const channel_sums *sums, run_sums *out) {
    if (i32_any(sums->bad | ~(sums->not_finite == 0))) return FAULT_FOUND;
    int64_t blocks = sums->blocks;
    out->valid = count_total(sums->valid);
    for (int k = 0; k < f->pointwise_count; k++) {
        out->loss[k] = exact_total(sums->loss[k], LOSS_ANCHOR, blocks);
        if (whole->weights) out->weight[k] = exact_total(sums->weight[0], LOSS_ANCHOR, blocks);
    }
    if (!f->region) return FAULT_NONE;
    class_sums *s = &out->classes[0];
    s->product = exact_total(sums->product, PROBABILITY_ANCHOR, blocks);
    s->probability = exact_total(sums->probability, PROBABILITY_ANCHOR, blocks);
    s->square = f->squares ? exact_total(sums->square, PROBABILITY_ANCHOR, blocks) : 0;
    s->count = count_total(sums->count);
    if (whole->target == CLOSS_DENSE_F32) {
        out->target = exact_total(sums->target, PROBABILITY_ANCHOR, blocks);
        out->target_square = exact_total(sums->target_square, PROBABILITY_ANCHOR, blocks);
    }
    return FAULT_NONE;
}

static fault channel_totals(const formula *f, const run *whole, run_sums *out) {
    channel_sums sums = {0};
    channel_walk(f, whole, 0, MODE_TOTALS, &sums);
    return finish_channel_sums(f, whole, &sums, out);
}

static void channel_gradients(const formula *f, const run *whole, const run_coefficients *k) {
    channel_sums unused = {0};
    channel_walk(f, whole, k, MODE_GRADIENT, &unused);
}

static fault channel_totals_and_gradient(const formula *f, const run *whole, const run_coefficients *k, run_sums *out) {
    channel_sums sums = {0};
    channel_walk(f, whole, k, MODE_TOTALS | MODE_GRADIENT, &sums);
    return finish_channel_sums(f, whole, &sums, out);
}

#endif
