// One channel at a time, through the sigmoid or given as probabilities: binary cross entropy, focal, region terms, and
// the balanced term's gradient (arithmetic 5 and 8).
//
// A walk's kind is a constant wherever one begins, so that each copy holds only what it needs. A simple walk's targets
// are 0 or 1 and all of its values count: products with them become choices, with the same bits.
#ifndef CLOSS_KERNELS_CHANNEL_H
#define CLOSS_KERNELS_CHANNEL_H

#include "kernels/block.h"
#include "kernels/channel_terms.h"
#include "kernels/exact.h"
#include "kernels/ranked_value.h"
#include "kernels/taken.h"

// Which terms a copy of the walk can hold.
typedef enum channel_terms { ANY_TERMS, ONLY_REGION, ONE_BINARY, ONE_FOCAL_2, ONLY_BALANCED } channel_terms;

typedef struct channel_kind {
    closs_activation activation;
    channel_terms terms;
    int mode;
    int simple;
} channel_kind;

typedef struct channel_sums {
    u64x16 product, probability, square, target, target_square, minimum, weighted_valid;
    u64x16 loss[CLOSS_MAX_TERMS], weight[CLOSS_MAX_TERMS];
    vi32 count, valid, bad;
    i32x16 beyond; // lanes whose loss or weight left the exact range
    lane_losses balanced;
    vu8 largest_label; // of a simple walk
    vf32 not_finite;
    int64_t blocks;
} channel_sums;

// ------------------------------------------------------------------------------------------------- one vector ----

LANES_INLINE int positive_label(const formula *f, const run *at) {
    return (int)channel_positive(at->target, f->classes, at->channel);
}

LANES_INLINE int label_count(const formula *f, const run *at) { return (int)channel_labels(at->target, f->classes); }

// Targets of one vector, and which of its values count; `bad` collects the lanes whose target cannot be.
LANES_INLINE void load_target(const formula *f, const run *at, channel_values *x, vi32 *bad) {
    vi32 counted = load_mask(at);
    if (at->target == CLOSS_DENSE_F32) {
        x->g = f32_load((const float *)at->targets);
        vi32 possible = f->balanced ? (x->g == 0) | (x->g == 1) : (x->g >= 0) & (x->g <= 1);
        *bad |= counted & ~possible;
        x->positive = counted & (x->g == 1);
        x->g = f32_keep(counted, x->g);
    } else {
        vi32 ignored, label = load_labels(f, at, &ignored);
        counted &= ~ignored;
        *bad |= counted & ((label < 0) | (label >= label_count(f, at)));
        x->positive = counted & (label == positive_label(f, at));
        x->g = f32_keep(x->positive, f32_splat(1));
    }
    x->valid = counted;
    x->b = 1 - x->g;
}

// The same in a simple walk, which looks at the labels' range block by block.
LANES_INLINE void load_simple_target(const run *at, int positive_label, channel_values *x) {
    x->valid = i32_splat(-1);
    x->positive = load_bytes(at->targets) == positive_label;
    x->g = f32_keep(x->positive, f32_splat(1));
    x->b = 1 - x->g;
    x->weight = f32_splat(1);
}

// ----------------------------------------------------------------------------------------------------- totals ----

LANES_INLINE int has_region(const formula *f, channel_terms terms) {
    return terms == ONLY_REGION || (terms == ANY_TERMS && f->region);
}

LANES_INLINE int pointwise_count(const formula *f, channel_terms terms) {
    return terms == ONE_BINARY || terms == ONE_FOCAL_2 ? 1 : terms == ANY_TERMS ? f->pointwise_count : 0;
}

// All sums times the voxel's weight: they have the losses' quantum and limit.
LANES_INLINE void total_weighted_channel_region(const formula *f, const channel_values *x, channel_sums *sums) {
    vf32 p = f32_keep(x->valid, x->p), weighted = p * x->weight, target = x->weight * x->g;
    add_limited(&sums->probability, weighted, &sums->beyond);
    add_limited(&sums->product, weighted * x->g, &sums->beyond);
    add_limited(&sums->target, target, &sums->beyond);
    if (f->squares) {
        add_limited(&sums->square, weighted * p, &sums->beyond);
        add_limited(&sums->target_square, target * x->g, &sums->beyond);
    }
    if (f->minimum) add_limited(&sums->minimum, x->weight * f32_select(p < x->g, p, x->g), &sums->beyond);
    add_limited(&sums->weighted_valid, x->weight, &sums->beyond);
}

LANES_INLINE void total_channel_region(const formula *f, const run *at, channel_kind kind, const channel_values *x,
                                       channel_sums *sums) {
    if (f->weighted) {
        total_weighted_channel_region(f, x, sums);
        return;
    }
    vf32 p = f32_keep(x->valid, x->p);
    vf32 product = kind.simple ? f32_keep(x->positive, x->p) : p * x->g;
    exact_add(&sums->probability, block_tree(p), PROBABILITY_ANCHOR);
    exact_add(&sums->product, block_tree(product), PROBABILITY_ANCHOR);
    if (f->squares) exact_add(&sums->square, block_tree(p * p), PROBABILITY_ANCHOR);
    if (at->target != CLOSS_DENSE_F32) {
        sums->count -= x->positive;
        return;
    }
    if (f->minimum) exact_add(&sums->minimum, block_tree(f32_select(p < x->g, p, x->g)), PROBABILITY_ANCHOR);
    exact_add(&sums->target, block_tree(x->g), PROBABILITY_ANCHOR);
    exact_add(&sums->target_square, block_tree(x->g * x->g), PROBABILITY_ANCHOR);
}

LANES_INLINE void total_block(const formula *f, const run *at, channel_kind kind, const channel_values *x,
                              channel_sums *sums) {
    if (has_region(f, kind.terms)) total_channel_region(f, at, kind, x, sums);
    for (int k = 0; k < pointwise_count(f, kind.terms); k++) {
        vf32 loss = pointwise_loss(kind.simple, &f->pointwise[k], at, x) * x->weight;
        loss = f32_keep(x->valid, loss);
        if (f->pointwise[k].kind == CLOSS_LINEAR_MAP)
            add_limited_signed(&sums->loss[k], loss, &sums->beyond);
        else
            add_limited(&sums->loss[k], loss, &sums->beyond);
    }
    if (at->weights && pointwise_count(f, kind.terms)) add_limited(&sums->weight[0], x->weight, &sums->beyond);
    sums->valid -= x->valid;
    sums->blocks++;
}

// --------------------------------------------------------------------------------------------------- gradient ----

// Values that the balanced term counts: positives, and negatives that the threshold selects.
LANES_INLINE vi32 balanced_lanes(const run_coefficients *k, const channel_values *x, int64_t first) {
    return x->valid & (x->positive | taken_lanes(k, x->input, first));
}

LANES_INLINE vf32 pointwise_gradient(const formula *f, const run *at, const run_coefficients *k, channel_kind kind,
                                     const channel_values *x, int64_t first) {
    vf32 slope = {0};
    for (int i = 0; i < pointwise_count(f, kind.terms); i++) {
        if (is_error(f->pointwise[i].kind)) continue;
        slope = f32_fma(k->pointwise[i] * x->weight, pointwise_slope(kind.simple, &f->pointwise[i], at, x), slope);
    }
    if (kind.terms == ONLY_BALANCED || (kind.terms == ANY_TERMS && f->balanced)) {
        vf32 with_it = f32_fma(f32_splat(k->balanced), binary_slope(kind.simple, x, 1), slope);
        slope = f32_select(balanced_lanes(k, x, first), with_it, slope); // others keep a slope of -0 too
    }
    if (kind.terms == ANY_TERMS && f->ranks == RANKS_LOSSES) {
        vf32 with_it = f32_fma(k->balanced * x->weight, ranked_channel_slope(f, at, x), slope);
        slope = f32_select(x->valid & taken_lanes(k, ranked_channel_loss(f, at, x), first), with_it, slope);
    }
    return slope;
}

LANES_INLINE vf32 region_gradient(const formula *f, const run *at, int simple, const run_coefficients *k,
                                  const channel_values *x) {
    vf32 slope = simple ? f32_select(x->positive, f32_splat(k->target[0] + k->constant[0]), f32_splat(k->constant[0]))
                        : f32_fma(f32_splat(k->target[0]), x->g, f32_splat(k->constant[0]));
    if (f->minimum && at->target == CLOSS_DENSE_F32)
        slope = f32_fma(f32_splat(k->minimum[0]), minimum_slope(x->p, x->g), slope);
    if (f->squares) slope = f32_fma(f32_splat(k->probability[0]), x->p, slope);
    return f->weighted ? slope * x->weight : slope;
}

// Z of arithmetic 5.4: the derivative by the probability, of the region terms, the errors and the ranked errors.
LANES_INLINE vf32 probability_gradient(const formula *f, const run *at, const run_coefficients *k, channel_kind kind,
                                       int region, int errors, const channel_values *x, int64_t first) {
    vf32 slope = region ? region_gradient(f, at, kind.simple, k, x) : f32_splat(0);
    for (int i = 0; errors && i < f->pointwise_count; i++)
        if (is_error(f->pointwise[i].kind))
            slope = f32_fma(k->pointwise[i] * x->weight, error_slope(&f->pointwise[i], channel_difference(x), x->map),
                            slope);
    return kind.terms == ANY_TERMS && f->ranks == RANKS_ERRORS ? ranked_error_slope(k, x, first, slope) : slope;
}

LANES_INLINE vf32 one_channel_gradient(const formula *f, const run *at, const run_coefficients *k, channel_kind kind,
                                       const channel_values *x, int64_t first) {
    int region = has_region(f, kind.terms), errors = kind.terms == ANY_TERMS && f->errors;
    int pointwise = kind.terms != ONLY_REGION && (kind.terms != ANY_TERMS || f->logarithms);
    int by_probability = region || errors;
    vf32 slope = pointwise ? pointwise_gradient(f, at, k, kind, x, first) : f32_splat(0);
    vf32 spread = x->p * x->q;
    if (kind.activation == CLOSS_SIGMOID)
        slope = by_probability ? f32_fma(spread, probability_gradient(f, at, k, kind, region, errors, x, first), slope)
                               : slope;
    else {
        if (pointwise) slope = slope / f32_larger(spread, f32_splat(1e-12f));
        if (by_probability) {
            vf32 z = probability_gradient(f, at, k, kind, region, errors, x, first);
            slope = pointwise ? z + slope : z;
        }
    }
    return f32_keep(x->valid, slope);
}

// ------------------------------------------------------------------------------------------------------ walks ----

LANES_INLINE void check_input(closs_activation activation, const run *at, vf32 input, channel_sums *sums) {
    sums->not_finite = f32_fma(input, f32_splat(0), sums->not_finite);
    if (activation == CLOSS_PROBABILITIES) sums->bad |= ~((input >= 0) & (input <= 1)) & lanes_inside(at);
}

LANES_INLINE void channel_block(const formula *f, const run *at, const run_coefficients *k, channel_kind kind,
                                int64_t first, channel_sums *sums) {
    channel_values x;
    x.input = load_floats(at->logits, at->logits_type);
    if (kind.simple) {
        load_simple_target(at, positive_label(f, at), &x);
    } else {
        load_target(f, at, &x, &sums->bad);
        x.weight = decode_weights(at, x.valid, &sums->bad);
    }
    if (kind.terms == ANY_TERMS && f->maps) x.map = f32_load(at->maps);
    activate(kind.activation, kind.terms == ANY_TERMS ? f->logarithms : kind.terms != ONLY_REGION, &x);
    if (kind.mode & MODE_TOTALS) {
        check_input(kind.activation, at, x.input, sums);
        if (kind.terms == ANY_TERMS && f->maps) sums->not_finite = f32_fma(x.map, f32_splat(0), sums->not_finite);
        if (kind.simple) sums->largest_label = larger_bytes(at, sums->largest_label);
        total_block(f, at, kind, &x, sums);
    }
    if (kind.mode & MODE_BALANCED_LOSS)
        add_losses(&sums->balanced, balanced_lanes(k, &x, first), f32_select(x.positive, x.n0, x.n1), &sums->bad);
    if (kind.mode & MODE_GRADIENT) store_gradient(at, 0, one_channel_gradient(f, at, k, kind, &x, first));
}

// Any run; `first` is the number of its first voxel in the run that the coefficients are for.
LANES_INLINE void channel_blocks(const formula *f, const run *whole, const run_coefficients *k, channel_kind kind,
                                 int64_t first, channel_sums *sums) {
    FOR_EACH_BLOCK(whole, at, 1, {
        channel_block(f, &at, k, kind, first, sums);
        first += BLOCK_VOXELS;
    });
}

// The formula with what a kind of terms implies as constants.
LANES_INLINE formula narrowed(const formula *f, channel_terms terms) {
    formula narrow = {.classes = f->classes, .squares = f->squares};
    narrow.pointwise[0] = f->pointwise[0];
    narrow.pointwise[0].kind = terms == ONE_FOCAL_2 ? CLOSS_FOCAL : CLOSS_BINARY_CROSS_ENTROPY;
    narrow.pointwise[0].plain = 1;
    narrow.pointwise[0].gamma_is_small_integer = 1;
    narrow.pointwise[0].gamma = 2;
    return narrow;
}

// The whole blocks of a simple run; gives back how many voxels that was. Sums are kept apart from the caller's, so that
// they stay in registers.
LANES_INLINE int64_t simple_channel_blocks(const formula *f, const run *whole, const run_coefficients *k,
                                           channel_terms terms, int mode, channel_sums *sums) {
    const channel_kind kind = {CLOSS_SIGMOID, terms, mode, 1};
    const formula narrow = narrowed(f, terms);
    const run_coefficients coefficients = mode & MODE_GRADIENT ? *k : (run_coefficients){0};
    const run copy = *whole;
    channel_sums local = *sums;
    int64_t offset = 0;
    for (; offset + BLOCK_VOXELS <= copy.voxels; offset += BLOCK_VOXELS) {
        run at = simple_block(&copy, offset);
        prefetch_ahead(&at);
        channel_block(&narrow, &at, &coefficients, kind, offset, &local);
    }
    if (any_byte_beyond(local.largest_label, label_count(f, whole))) local.bad = i32_splat(-1);
    *sums = local;
    return offset;
}

LANES_INLINE channel_terms terms_of(const formula *f) {
    if (f->ranks) return ANY_TERMS;
    if (f->balanced) return f->region || f->pointwise_count ? ANY_TERMS : ONLY_BALANCED;
    if (f->region) return f->pointwise_count ? ANY_TERMS : ONLY_REGION;
    if (f->pointwise_count > 1) return ANY_TERMS;
    const pointwise_formula *term = &f->pointwise[0];
    if (term->kind == CLOSS_BINARY_CROSS_ENTROPY) return term->plain ? ONE_BINARY : ANY_TERMS;
    if (term->kind != CLOSS_FOCAL) return ANY_TERMS;
    return term->gamma_is_small_integer && term->gamma == 2 ? ONE_FOCAL_2 : ANY_TERMS;
}

// Simple runs of the common losses have walks of their own; everything else takes the general one.
LANES_INLINE int64_t simple_channel_walk(const formula *f, const run *whole, const run_coefficients *k, int mode,
                                         channel_sums *sums) {
    if (f->activation != CLOSS_SIGMOID || f->has_ignore_index || f->weighted || !is_simple(whole)) return 0;
    switch (terms_of(f)) {
    case ONLY_REGION: return simple_channel_blocks(f, whole, k, ONLY_REGION, mode, sums);
    case ONE_BINARY: return simple_channel_blocks(f, whole, k, ONE_BINARY, mode, sums);
    case ONE_FOCAL_2: return simple_channel_blocks(f, whole, k, ONE_FOCAL_2, mode, sums);
    case ONLY_BALANCED: return mode & MODE_GRADIENT ? simple_channel_blocks(f, whole, k, ONLY_BALANCED, mode, sums) : 0;
    default: return 0;
    }
}

LANES_FUNCTION int channel_in_place(const formula *f, closs_target target) {
    if (f->activation != CLOSS_SIGMOID || f->has_ignore_index || f->weighted) return 0;
    if (target != CLOSS_LABELS_U8 && target != CLOSS_DENSE_U8) return 0;
    return terms_of(f) != ANY_TERMS && terms_of(f) != ONLY_BALANCED;
}

LANES_INLINE void channel_walk(const formula *f, const run *whole, const run_coefficients *k, int mode,
                               channel_sums *sums) {
    int64_t done = simple_channel_walk(f, whole, k, mode, sums);
    run rest = run_from(whole, done);
    if (f->activation == CLOSS_SIGMOID)
        channel_blocks(f, &rest, k, (channel_kind){CLOSS_SIGMOID, ANY_TERMS, mode, 0}, done, sums);
    else
        channel_blocks(f, &rest, k, (channel_kind){CLOSS_PROBABILITIES, ANY_TERMS, mode, 0}, done, sums);
}

static fault finish_channel_sums(const formula *f, const run *whole, const channel_sums *sums, run_sums *out) {
    if (i32_any(sums->bad | ~(sums->not_finite == 0)) || any_beyond(sums->beyond)) return FAULT_FOUND;
    int64_t blocks = sums->blocks;
    out->valid = count_total(sums->valid);
    for (int k = 0; k < f->pointwise_count; k++) {
        out->loss[k] = exact_total(sums->loss[k], LOSS_ANCHOR, blocks);
        if (whole->weights) out->weight[k] = exact_total(sums->weight[0], LOSS_ANCHOR, blocks);
    }
    if (!f->region) return FAULT_NONE;
    class_sums *s = &out->classes[0];
    double anchor = f->weighted ? LOSS_ANCHOR : PROBABILITY_ANCHOR;
    int soft = whole->target == CLOSS_DENSE_F32;
    s->product = exact_total(sums->product, anchor, blocks);
    s->probability = exact_total(sums->probability, anchor, blocks);
    s->square = f->squares ? exact_total(sums->square, anchor, blocks) : 0;
    s->count = count_total(sums->count);
    if (soft || f->weighted) s->target = exact_total(sums->target, anchor, blocks);
    if (soft && (f->squares || !f->weighted)) s->target_square = exact_total(sums->target_square, anchor, blocks);
    if (soft && f->minimum) s->minimum = exact_total(sums->minimum, anchor, blocks);
    if (f->weighted) s->valid = exact_total(sums->weighted_valid, anchor, blocks);
    return FAULT_NONE;
}

LANES_FUNCTION fault channel_totals(const formula *f, const run *whole, run_sums *out) {
    channel_sums sums = {0};
    channel_walk(f, whole, 0, MODE_TOTALS, &sums);
    return finish_channel_sums(f, whole, &sums, out);
}

LANES_FUNCTION void channel_gradient(const formula *f, const run *whole, const run_coefficients *k,
                                     __int128 *balanced_loss) {
    channel_sums sums = {0};
    if (!balanced_loss) {
        channel_walk(f, whole, k, MODE_GRADIENT, &sums);
        return;
    }
    channel_walk(f, whole, k, MODE_GRADIENT | MODE_BALANCED_LOSS, &sums);
    *balanced_loss = total_losses(&sums.balanced);
}

LANES_FUNCTION fault channel_totals_and_gradient(const formula *f, const run *whole, const run_coefficients *k,
                                                 run_sums *out) {
    channel_sums sums = {0};
    channel_walk(f, whole, k, MODE_TOTALS | MODE_GRADIENT, &sums);
    return finish_channel_sums(f, whole, &sums, out);
}

#endif
