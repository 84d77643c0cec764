// One channel at a time, through the sigmoid or given as probabilities: binary cross entropy, focal, region terms, and
// the balanced term's gradient (arithmetic 5 and 8).
//
// A walk's kind is a constant wherever one begins, so that each copy holds only what it needs, without a choice left in
// its loop. Where targets are 0 or 1, products with them become choices, with the same bits.
#ifndef CLOSS_KERNELS_CHANNEL_H
#define CLOSS_KERNELS_CHANNEL_H

#include "kernels/block.h"
#include "kernels/channel_targets.h"
#include "kernels/channel_terms.h"
#include "kernels/exact.h"
#include "kernels/ranked_value.h"
#include "kernels/region_slope.h"
#include "kernels/taken.h"

// Which terms a copy of the walk can hold.
typedef enum channel_terms {
    ANY_TERMS,
    ONLY_REGION,
    ONE_BINARY, // plain
    ONE_FOCAL_2,
    ONE_WEIGHTED_BINARY, // with positive weights or label smoothing
    ONE_ERROR,
    REGION_AND_BINARY,
    REGION_AND_FOCAL_2,
    ONLY_BALANCED
} channel_terms;

// What a copy knows of its targets: nothing; that they are bytes, and that all values count; that they are 0 or 1,
// without weights; or the same with weights.
typedef enum channel_targets { ANY_TARGETS, SIMPLE_TARGETS, HARD_TARGETS, WEIGHTED_HARD_TARGETS } channel_targets;

typedef struct channel_kind {
    closs_activation activation;
    channel_terms terms;
    int mode;
    channel_targets targets;
} channel_kind;

// Not 0: targets are 0 or 1.
LANES_INLINE int is_hard(channel_kind kind) { return kind.targets != ANY_TARGETS; }

// Not 0: their values are counted while they are loaded.
LANES_INLINE int is_counted(channel_kind kind) { return is_hard(kind) && kind.targets != SIMPLE_TARGETS; }

LANES_INLINE int has_weights(channel_kind kind, const run *at) {
    return kind.targets == ANY_TARGETS ? at->weights != 0 : kind.targets == WEIGHTED_HARD_TARGETS;
}

typedef struct channel_sums {
    u64x16 product, probability, square, target, target_square, minimum, weighted_valid;
    u64x16 loss[CLOSS_MAX_TERMS], factor[CLOSS_MAX_TERMS];
    u64x16 loss_rest[CLOSS_MAX_TERMS], factor_rest[CLOSS_MAX_TERMS]; // of terms that keep rests
    u64x16 weight, target_weight; // of the values, and of their targets: the same for all terms
    vi32 count, valid, bad;
    i32x16 beyond; // lanes whose loss or weight left the exact range
    lane_losses balanced;
    vu8 largest_label; // of a simple walk
    hard_counts hard;
    vf32 not_finite;
    int64_t blocks;
} channel_sums;

// ------------------------------------------------------------------------------------------------ hard targets ----

// f h and 1 - h of a target of 0 or 1 that is smoothed to h: each is one of two numbers.
typedef struct binary_factors {
    vf32 positive, negative;
} binary_factors;

LANES_INLINE binary_factors hard_factors(const pointwise_formula *term, const run *at, const channel_values *x) {
    float kept = term->kept, flipped = term->flipped, weight = term->positive_weight[at->channel];
    return (binary_factors){f32_select(x->positive, f32_splat(weight * kept), f32_splat(weight * flipped)),
                            f32_select(x->positive, f32_splat(flipped), f32_splat(kept))};
}

LANES_INLINE int has_factors(channel_kind kind) {
    return kind.terms == ONE_WEIGHTED_BINARY || kind.terms == REGION_AND_BINARY;
}

LANES_INLINE vf32 term_loss(channel_kind kind, const pointwise_formula *term, const run *at, const channel_values *x) {
    if (!has_factors(kind)) return pointwise_loss(is_hard(kind), term, at, x);
    binary_factors of = hard_factors(term, at, x);
    return f32_fma(of.positive, x->n0, of.negative * x->n1);
}

LANES_INLINE vf32 term_slope(channel_kind kind, const pointwise_formula *term, const run *at, const channel_values *x) {
    if (!has_factors(kind)) return pointwise_slope(is_hard(kind), term, at, x);
    binary_factors of = hard_factors(term, at, x);
    return f32_fma(-of.positive, x->q, of.negative * x->p);
}

// ----------------------------------------------------------------------------------------------------- totals ----

LANES_INLINE int has_region(const formula *f, channel_terms terms) {
    if (terms == ANY_TERMS) return f->region;
    return terms == ONLY_REGION || terms == REGION_AND_BINARY || terms == REGION_AND_FOCAL_2;
}

LANES_INLINE int pointwise_count(const formula *f, channel_terms terms) {
    if (terms == ANY_TERMS) return f->pointwise_count;
    return terms != ONLY_REGION && terms != ONLY_BALANCED;
}

LANES_INLINE int has_logarithms(const formula *f, channel_terms terms) {
    if (terms == ANY_TERMS) return f->logarithms;
    return terms != ONLY_REGION && terms != ONE_ERROR;
}

LANES_INLINE int has_errors(const formula *f, channel_terms terms) {
    return terms == ONE_ERROR || (terms == ANY_TERMS && slopes_by_probability(f));
}

LANES_INLINE int has_maps(const formula *f, channel_terms terms) {
    return (terms == ONE_ERROR && !f->pointwise[0].distances) || (terms == ANY_TERMS && f->maps);
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
    vf32 product = is_hard(kind) ? f32_keep(x->positive, x->p) : p * x->g;
    exact_add(&sums->probability, block_tree(p), PROBABILITY_ANCHOR);
    exact_add(&sums->product, block_tree(product), PROBABILITY_ANCHOR);
    if (f->squares) exact_add(&sums->square, block_tree(p * p), PROBABILITY_ANCHOR);
    if (at->target != CLOSS_DENSE_F32) {
        if (!is_counted(kind)) sums->count -= x->positive;
        return;
    }
    if (f->minimum) exact_add(&sums->minimum, block_tree(f32_select(p < x->g, p, x->g)), PROBABILITY_ANCHOR);
    exact_add(&sums->target, block_tree(x->g), PROBABILITY_ANCHOR);
    exact_add(&sums->target_square, block_tree(x->g * x->g), PROBABILITY_ANCHOR);
}

LANES_INLINE void total_special_term(const formula *f, int k, const run *at, const channel_values *x,
                                     channel_sums *sums) {
    const pointwise_formula *term = &f->pointwise[k];
    special_values own;
    special_term(term, at->channel, x, &own);
    vf32 loss = f32_keep(x->valid, term->weighs_positives ? own.loss : own.loss * x->weight);
    if (term->weight_of != WEIGHT_OF_FACTORS) {
        add_limited_signed(&sums->loss[k], loss, &sums->beyond);
        return;
    }
    vf32 factor = f32_keep(x->valid, own.factor * x->weight);
    add_limited_with_rest(&sums->loss[k], &sums->loss_rest[k], loss, &sums->beyond);
    add_limited_with_rest(&sums->factor[k], &sums->factor_rest[k], factor, &sums->beyond);
}

LANES_INLINE void total_block(const formula *f, const run *at, channel_kind kind, const channel_values *x,
                              channel_sums *sums) {
    if (has_region(f, kind.terms)) total_channel_region(f, at, kind, x, sums);
    for (int k = 0; k < pointwise_count(f, kind.terms); k++) {
        if (kind.terms == ANY_TERMS && f->pointwise[k].special) {
            total_special_term(f, k, at, x, sums);
            continue;
        }
        vf32 loss = term_loss(kind, &f->pointwise[k], at, x) * x->weight;
        loss = f32_keep(x->valid, loss);
        if (kind.terms == ANY_TERMS && keeps_rest(&f->pointwise[k]))
            add_limited_with_rest(&sums->loss[k], &sums->loss_rest[k], loss, &sums->beyond);
        else if (kind.terms == ONE_ERROR || is_signed(f->pointwise[k].kind))
            add_limited_signed(&sums->loss[k], loss, &sums->beyond);
        else
            add_limited(&sums->loss[k], loss, &sums->beyond);
    }
    if (has_weights(kind, at) && pointwise_count(f, kind.terms)) add_limited(&sums->weight, x->weight, &sums->beyond);
    if (kind.terms == ANY_TERMS && f->target_weights)
        add_limited(&sums->target_weight, x->weight * x->g, &sums->beyond);
    if (!is_counted(kind)) sums->valid -= x->valid;
    sums->blocks++;
}

// --------------------------------------------------------------------------------------------------- gradient ----

// Values that the balanced term counts: positives, and negatives that the threshold selects.
LANES_INLINE vi32 balanced_lanes(const run_coefficients *k, const channel_values *x, int64_t first) {
    return x->valid & (x->positive | taken_lanes(k, x->input, first));
}

// What a special term adds to the derivative by its logit or probability.
LANES_INLINE vf32 add_special_slope(const pointwise_formula *term, int i, const run *at, const run_coefficients *k,
                                    const channel_values *x, vf32 slope) {
    special_values own;
    special_term(term, at->channel, x, &own);
    vf32 weight = term->weighs_positives ? f32_splat(1) : x->weight;
    slope = f32_fma(k->pointwise[i] * weight, own.slope, slope);
    return term->weight_of == WEIGHT_OF_FACTORS ? f32_fma(k->factor[i] * weight, own.turn, slope) : slope;
}

// Arithmetic 8.8.4.
LANES_INLINE vf32 add_lovasz_slope(const run *at, const run_coefficients *k, vf32 slope) {
    return k->lovasz[0] != 0 ? f32_fma(f32_splat(k->lovasz[0]), f32_load(at->lovasz_slopes), slope) : slope;
}

LANES_INLINE vf32 pointwise_gradient(const formula *f, const run *at, const run_coefficients *k, channel_kind kind,
                                     const channel_values *x, int64_t first) {
    vf32 slope = {0};
    for (int i = 0; i < pointwise_count(f, kind.terms); i++) {
        const pointwise_formula *term = &f->pointwise[i];
        if (kind.terms == ANY_TERMS && term->by_probability) continue;
        slope = kind.terms == ANY_TERMS && term->special
                    ? add_special_slope(term, i, at, k, x, slope)
                    : f32_fma(k->pointwise[i] * x->weight, term_slope(kind, term, at, x), slope);
    }
    if (kind.terms == ONLY_BALANCED || (kind.terms == ANY_TERMS && f->balanced)) {
        vf32 with_it = f32_fma(f32_splat(k->balanced), binary_slope(is_hard(kind), x, 1), slope);
        slope = f32_select(balanced_lanes(k, x, first), with_it, slope); // others keep a slope of -0 too
    }
    if (kind.terms == ANY_TERMS && f->ranks == RANKS_LOSSES) {
        vf32 with_it = f32_fma(k->balanced * x->weight, ranked_channel_slope(&f->taken, at, x), slope);
        vf32 loss = ranked_channel_loss(&f->ranked, at, x);
        slope = f32_select(x->valid & taken_lanes(k, loss, first), with_it, slope);
    }
    if (kind.terms == ANY_TERMS && f->lovasz == LOVASZ_HINGE) slope = add_lovasz_slope(at, k, slope);
    return slope;
}

LANES_INLINE vf32 region_gradient(const formula *f, const run *at, int simple, const run_coefficients *k,
                                  const channel_values *x) {
    vf32 slope = simple ? f32_select(x->positive, f32_splat(k->target[0]), f32_splat(k->other[0]))
                        : between_targets(k->target[0], k->other[0], x->g);
    if (f->minimum && at->target == CLOSS_DENSE_F32)
        slope = around_target(between_targets(k->target_below[0], k->other_below[0], x->g), slope, x->p, x->g);
    if (f->squares) slope = f32_fma(f32_splat(k->square[0]), channel_difference(x), slope);
    return f->weighted ? slope * x->weight : slope;
}

// Z of arithmetic 5.4: the derivative by the probability, of the region terms, the errors and the ranked errors.
LANES_INLINE vf32 probability_gradient(const formula *f, const run *at, const run_coefficients *k, channel_kind kind,
                                       int region, int errors, const channel_values *x, int64_t first) {
    vf32 slope = region ? region_gradient(f, at, is_hard(kind), k, x) : f32_splat(0);
    for (int i = 0; errors && i < pointwise_count(f, kind.terms); i++) {
        const pointwise_formula *term = &f->pointwise[i];
        if (kind.terms == ANY_TERMS && !term->by_probability) continue;
        slope = kind.terms == ANY_TERMS && term->special
                    ? add_special_slope(term, i, at, k, x, slope)
                    : f32_fma(k->pointwise[i] * x->weight,
                              error_slope(term, channel_difference(x), channel_map(term, at, x)), slope);
    }
    if (kind.terms == ANY_TERMS && f->ranks == RANKS_ERRORS) slope = ranked_error_slope(k, x, first, slope);
    if (kind.terms == ANY_TERMS && f->lovasz == LOVASZ_PROBABILITIES) slope = add_lovasz_slope(at, k, slope);
    return slope;
}

LANES_INLINE vf32 one_channel_gradient(const formula *f, const run *at, const run_coefficients *k, channel_kind kind,
                                       const channel_values *x, int64_t first) {
    int region = has_region(f, kind.terms), errors = has_errors(f, kind.terms);
    int hinge = kind.terms == ANY_TERMS && f->lovasz == LOVASZ_HINGE,
        pointwise = hinge || has_logarithms(f, kind.terms);
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
                                const target_code *code, int64_t first, channel_sums *sums) {
    channel_values x;
    x.input = load_floats(at->logits, at->logits_type);
    if (kind.targets == SIMPLE_TARGETS) {
        load_simple_target(at, positive_label(f, at), &x);
    } else if (is_counted(kind)) {
        load_hard_target(at, code, &x, &sums->hard);
        if (has_weights(kind, at)) load_hard_weights(at, &x, &sums->hard);
    } else {
        load_target(f, at, &x, &sums->bad);
        x.weight = decode_weights(at, x.valid, &sums->bad);
    }
    if (has_maps(f, kind.terms)) x.map = f32_load(at->maps);
    activate(kind.activation, has_logarithms(f, kind.terms), &x);
    if (kind.mode & MODE_TOTALS) {
        check_input(kind.activation, at, x.input, sums);
        if (has_maps(f, kind.terms)) sums->not_finite = f32_fma(x.map, f32_splat(0), sums->not_finite);
        if (kind.targets == SIMPLE_TARGETS) sums->largest_label = larger_bytes(at, sums->largest_label);
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
        channel_block(f, &at, k, kind, 0, first, sums);
        first += BLOCK_VOXELS;
    });
}

// The formula with what a kind of terms implies as constants.
LANES_INLINE formula narrowed(const formula *f, channel_terms terms, int channel) {
    formula narrow = {.classes = f->classes,
                      .squares = f->squares,
                      .has_ignore_index = f->has_ignore_index,
                      .ignore_index = f->ignore_index};
    pointwise_formula *term = &narrow.pointwise[0];
    *term = f->pointwise[0];
    if (terms == ONE_ERROR) return narrow;
    term->kind = terms == ONE_FOCAL_2 || terms == REGION_AND_FOCAL_2 ? CLOSS_FOCAL : CLOSS_BINARY_CROSS_ENTROPY;
    term->plain = terms != ONE_WEIGHTED_BINARY && terms != REGION_AND_BINARY;
    term->gamma_is_small_integer = 1;
    term->gamma = 2;
    if (term->kind == CLOSS_FOCAL && f->pointwise[0].class_alpha) {
        term->alpha = f->pointwise[0].class_alpha[channel];
        term->beta = f->pointwise[0].class_beta[channel];
    }
    term->class_alpha = term->class_beta = 0;
    return narrow;
}

// The whole blocks of a simple run; gives back how many voxels that was. Sums are kept apart from the caller's, so that
// they stay in registers.
LANES_INLINE int64_t simple_channel_blocks(const formula *f, const run *whole, const run_coefficients *k,
                                           channel_terms terms, int mode, channel_sums *sums) {
    const channel_kind kind = {CLOSS_SIGMOID, terms, mode, SIMPLE_TARGETS};
    const formula narrow = narrowed(f, terms, whole->channel);
    const run_coefficients coefficients = mode & MODE_GRADIENT ? *k : (run_coefficients){0};
    const run copy = *whole;
    channel_sums local = *sums;
    int64_t offset = 0;
    for (; offset + BLOCK_VOXELS <= copy.voxels; offset += BLOCK_VOXELS) {
        run at = simple_block(&copy, offset);
        prefetch_ahead(&at);
        channel_block(&narrow, &at, &coefficients, kind, 0, offset, &local);
    }
    if (any_byte_beyond(local.largest_label, label_count(f, whole))) local.bad = i32_splat(-1);
    *sums = local;
    return offset;
}

// The same of a run whose targets are 0 or 1, with weights or without, as the kind has it.
LANES_INLINE int64_t hard_blocks_of_kind(const formula *f, const run *whole, const run_coefficients *k,
                                         channel_kind kind, channel_sums *sums) {
    const formula narrow = narrowed(f, kind.terms, whole->channel);
    const run_coefficients coefficients = kind.mode & MODE_GRADIENT ? *k : (run_coefficients){0};
    const run copy = *whole;
    const target_code code = target_code_of(f, whole);
    stand_ins other = STAND_INS;
    channel_sums local = *sums;
    int64_t offset = 0;
    for (; offset + BLOCK_VOXELS <= copy.voxels; offset += BLOCK_VOXELS) {
        run at = hard_block(f, &copy, &code, offset, &other);
        prefetch_ahead(&at);
        channel_block(&narrow, &at, &coefficients, kind, &code, offset, &local);
    }
    *sums = local;
    return offset;
}

// Weights cost a load, a check and a product for each value, which runs without them need not pay.
LANES_INLINE int64_t hard_channel_blocks(const formula *f, const run *whole, const run_coefficients *k,
                                         channel_terms terms, int mode, channel_sums *sums) {
    const channel_kind plain = {CLOSS_SIGMOID, terms, mode, HARD_TARGETS};
    const channel_kind weighted = {CLOSS_SIGMOID, terms, mode, WEIGHTED_HARD_TARGETS};
    return whole->weights ? hard_blocks_of_kind(f, whole, k, weighted, sums)
                          : hard_blocks_of_kind(f, whole, k, plain, sums);
}

static channel_terms terms_of(const formula *f) {
    if (f->ranks || f->lovasz) return ANY_TERMS;
    if (f->balanced) return f->region || f->pointwise_count ? ANY_TERMS : ONLY_BALANCED;
    if (f->pointwise_count == 0) return ONLY_REGION;
    const pointwise_formula *term = &f->pointwise[0];
    if (f->pointwise_count > 1 || f->target_weights || term->special) return ANY_TERMS;
    if (is_error(term->kind)) return f->region || f->rests ? ANY_TERMS : ONE_ERROR;
    if (term->kind == CLOSS_BINARY_CROSS_ENTROPY)
        return f->region ? REGION_AND_BINARY : term->plain ? ONE_BINARY : ONE_WEIGHTED_BINARY;
    if (term->kind != CLOSS_FOCAL || !term->gamma_is_small_integer || term->gamma != 2) return ANY_TERMS;
    return f->region ? REGION_AND_FOCAL_2 : ONE_FOCAL_2;
}

// A region's gradient needs all totals first: no copy totals and writes at once.
LANES_INLINE int64_t blocks_of_terms(const formula *f, const run *whole, const run_coefficients *k, channel_terms terms,
                                     int mode, channel_sums *sums) {
    if (mode == (MODE_TOTALS | MODE_GRADIENT) && has_region(f, terms)) return 0;
    if (terms != ONE_ERROR && is_simple(whole) && !f->has_ignore_index)
        return simple_channel_blocks(f, whole, k, terms, mode, sums);
    return hard_channel_blocks(f, whole, k, terms, mode, sums);
}

// It takes no voxel weights.
LANES_INLINE int64_t balanced_blocks(const formula *f, const run *whole, const run_coefficients *k, int mode,
                                     channel_sums *sums) {
    if (!(mode & MODE_GRADIENT) || mode == (MODE_TOTALS | MODE_GRADIENT)) return 0;
    const channel_kind kind = {CLOSS_SIGMOID, ONLY_BALANCED, mode, HARD_TARGETS};
    return hard_blocks_of_kind(f, whole, k, kind, sums);
}

// Whole blocks of the common losses have walks of their own, where targets are 0 or 1; everything else takes the
// general one.
LANES_INLINE int64_t fast_channel_walk(const formula *f, const run *whole, const run_coefficients *k, int mode,
                                       channel_sums *sums) {
    if (f->activation != CLOSS_SIGMOID || f->weighted || !has_hard_blocks(f, whole)) return 0;
    const channel_terms terms = terms_of(f);
    if (terms == ONLY_BALANCED) return balanced_blocks(f, whole, k, mode, sums);
    if (mode & MODE_BALANCED_LOSS) return 0;
    switch (terms) {
    case ONLY_REGION: return blocks_of_terms(f, whole, k, ONLY_REGION, mode, sums);
    case REGION_AND_BINARY: return blocks_of_terms(f, whole, k, REGION_AND_BINARY, mode, sums);
    case REGION_AND_FOCAL_2: return blocks_of_terms(f, whole, k, REGION_AND_FOCAL_2, mode, sums);
    case ONE_BINARY: return blocks_of_terms(f, whole, k, ONE_BINARY, mode, sums);
    case ONE_WEIGHTED_BINARY: return blocks_of_terms(f, whole, k, ONE_WEIGHTED_BINARY, mode, sums);
    case ONE_FOCAL_2: return blocks_of_terms(f, whole, k, ONE_FOCAL_2, mode, sums);
    case ONE_ERROR: return blocks_of_terms(f, whole, k, ONE_ERROR, mode, sums);
    default: return 0;
    }
}

LANES_FUNCTION int channel_in_place(const formula *f, closs_target target) {
    if (f->activation != CLOSS_SIGMOID || f->weighted || target == CLOSS_DENSE_F32) return 0;
    return terms_of(f) != ANY_TERMS && terms_of(f) != ONLY_BALANCED;
}

LANES_INLINE void channel_walk(const formula *f, const run *whole, const run_coefficients *k, int mode,
                               channel_sums *sums) {
    int64_t done = fast_channel_walk(f, whole, k, mode, sums);
    run rest = run_from(whole, done);
    if (f->activation == CLOSS_SIGMOID)
        channel_blocks(f, &rest, k, (channel_kind){CLOSS_SIGMOID, ANY_TERMS, mode, ANY_TARGETS}, done, sums);
    else
        channel_blocks(f, &rest, k, (channel_kind){CLOSS_PROBABILITIES, ANY_TERMS, mode, ANY_TARGETS}, done, sums);
}

static fault finish_channel_sums(const formula *f, const run *whole, const channel_sums *sums, run_sums *out) {
    if (i32_any(sums->bad | ~(sums->not_finite == 0)) || any_beyond(sums->beyond)) return FAULT_FOUND;
    if (__builtin_reduce_or(sums->hard.refused)) return FAULT_FOUND;
    int64_t blocks = sums->blocks;
    out->valid = count_total(sums->valid) + sums->hard.valid;
    for (int k = 0; k < f->pointwise_count; k++) {
        out->loss[k] = exact_total(sums->loss[k], LOSS_ANCHOR, blocks);
        weight_of of = f->pointwise[k].weight_of;
        int rests = keeps_rest(&f->pointwise[k]), of_factors = of == WEIGHT_OF_FACTORS;
        out->loss_rest[k] = rests ? exact_total(sums->loss_rest[k], REST_ANCHOR, blocks) : 0;
        out->weight_rest[k] = of_factors ? exact_total(sums->factor_rest[k], REST_ANCHOR, blocks) : 0;
        if (of_factors)
            out->weight[k] = exact_total(sums->factor[k], LOSS_ANCHOR, blocks);
        else if (of == WEIGHT_OF_TARGETS)
            out->weight[k] = exact_total(sums->target_weight, LOSS_ANCHOR, blocks);
        else if (whole->weights)
            out->weight[k] = exact_total(sums->weight, LOSS_ANCHOR, blocks);
    }
    if (!f->region) return FAULT_NONE;
    class_sums *s = &out->classes[0];
    double anchor = f->weighted ? LOSS_ANCHOR : PROBABILITY_ANCHOR;
    int soft = whole->target == CLOSS_DENSE_F32;
    s->product = exact_total(sums->product, anchor, blocks);
    s->probability = exact_total(sums->probability, anchor, blocks);
    s->square = f->squares ? exact_total(sums->square, anchor, blocks) : 0;
    s->count = count_total(sums->count) + sums->hard.positive;
    if (soft || f->weighted) s->target = exact_total(sums->target, anchor, blocks);
    if (soft && (f->squares || !f->weighted)) s->target_square = exact_total(sums->target_square, anchor, blocks);
    if (soft && f->minimum) s->minimum = exact_total(sums->minimum, anchor, blocks);
    if (f->weighted) s->valid = exact_total(sums->weighted_valid, anchor, blocks);
    return FAULT_NONE;
}

LANES_FUNCTION fault channel_totals(const formula *f, const run *whole, run_sums *out) {
    channel_sums sums = {0};
    formula unranked = *f; // a Lovasz term has no totals here
    unranked.lovasz = LOVASZ_NOTHING;
    channel_walk(&unranked, whole, 0, MODE_TOTALS, &sums);
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
