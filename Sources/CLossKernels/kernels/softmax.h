// Softmax over the classes with cross entropy and region terms (arithmetic 4).
//
// A block's exponentials are kept for all classes: with few classes the compiler holds them in registers, with many
// they stay in the cache. A walk's kind is a constant wherever one begins, so that each copy holds only what it needs.
#ifndef CLOSS_KERNELS_SOFTMAX_H
#define CLOSS_KERNELS_SOFTMAX_H

#include "kernels/block.h"
#include "kernels/elementary.h"
#include "kernels/exact.h"

enum { WANTS_REGION = 1, WANTS_CROSS_ENTROPY = 2 };

typedef struct softmax_kind {
    int classes;
    int wants;
    int mode;
    int squares; // of probabilities are totalled
} softmax_kind;

// A block, as its labels have it. Label maps are made of areas: most blocks hold one label, which then is a scalar.
typedef struct block_labels {
    int uniform;
    int one;   // the label of a uniform block
    vi32 each; // of others, -1 where the voxel does not count
    vi32 valid;
} block_labels;

// What the classes of a block have in common.
typedef struct softmax_block {
    vf32 reciprocal;                         // r, +0 where the voxel does not count, so that p is +0 there
    vf32 lse;                                // log of the sum of exponentials, relative to the largest logit
    vf32 rest;                               // the sum of all exponentials but the largest
    vf32 target_shifted, target_exponential; // x_y and e_y
    vf32 weight;                             // v
    vf32 exponential[CLOSS_MAX_CLASSES];
} softmax_block;

typedef struct softmax_sums {
    u64x16 product[CLOSS_MAX_CLASSES], probability[CLOSS_MAX_CLASSES], square[CLOSS_MAX_CLASSES];
    int64_t product_blocks[CLOSS_MAX_CLASSES]; // that were added to `product`: a block without the class is passed over
    int64_t uniform_blocks[CLOSS_MAX_CLASSES];
    vi32 count[CLOSS_MAX_CLASSES]; // of voxels in other blocks
    vi32 valid;
    u64x16 loss[CLOSS_MAX_TERMS], weight[CLOSS_MAX_TERMS];
    vf32 not_finite;   // NaN in a lane that met a NaN or an infinity, 0 otherwise
    vi32 bad;          // lanes with a label or weight that cannot be
    vu8 largest_label; // of a simple walk
    i32x16 beyond;     // lanes whose loss or weight left the exact range
    int64_t blocks;
} softmax_sums;

LANES_INLINE const float *logits_of(const run *at, int c) { return at->logits + c * at->class_stride; }

// ----------------------------------------------------------------------------------------------------- labels ----

LANES_INLINE block_labels uniform_labels(int label) {
    return (block_labels){.uniform = 1, .one = label, .each = i32_splat(label), .valid = i32_splat(-1)};
}

LANES_INLINE block_labels mixed_labels(vi32 each) { return (block_labels){.each = each, .valid = each >= 0}; }

// Lanes of class c.
LANES_INLINE vi32 of_class(const block_labels *labels, int c) {
    return labels->uniform ? i32_splat(labels->one == c ? -1 : 0) : labels->each == c;
}

// The one value in the lanes of class c, the other elsewhere.
LANES_INLINE vf32 by_class(const block_labels *labels, int c, float here, float elsewhere) {
    if (labels->uniform) return f32_splat(labels->one == c ? here : elsewhere);
    return f32_select(labels->each == c, f32_splat(here), f32_splat(elsewhere));
}

// The entry of a table by class that belongs to each voxel's label.
LANES_INLINE vf32 by_label(const block_labels *labels, const float *table, int classes) {
    if (labels->uniform) return f32_splat(table[labels->one]);
    vf32 picked = {0};
    for (int c = 0; c < classes; c++) picked = f32_select(labels->each == c, f32_splat(table[c]), picked);
    return picked;
}

// ----------------------------------------------------------------------------------------------- exponentials ----

LANES_INLINE vf32 largest_logit(softmax_kind kind, const run *at, vf32 *not_finite) {
    vf32 largest = f32_load(logits_of(at, 0));
    if (kind.mode & MODE_TOTALS) *not_finite = f32_fma(largest, f32_splat(0), *not_finite);
    for (int c = 1; c < kind.classes; c++) {
        vf32 logit = f32_load(logits_of(at, c));
        if (kind.mode & MODE_TOTALS) *not_finite = f32_fma(logit, f32_splat(0), *not_finite);
        largest = f32_larger(logit, largest);
    }
    return largest;
}

// Exponentials, their sums, and what the label picks of them.
LANES_INLINE void exponentiate(softmax_kind kind, const run *at, const block_labels *labels, softmax_block *block,
                               vf32 *not_finite) {
    int totals = kind.mode & MODE_TOTALS, cross_entropy = kind.wants & WANTS_CROSS_ENTROPY;
    vf32 largest = largest_logit(kind, at, not_finite);
    vf32 sum = {0}, below_one = {0}, target_shifted = {0}, target_exponential = {0};
    for (int c = 0; c < kind.classes; c++) {
        vf32 shifted = f32_load(logits_of(at, c)) - largest;
        vf32 e = exp_nonpositive(shifted);
        block->exponential[c] = e;
        sum += e;
        if (!cross_entropy) continue;
        below_one += f32_keep(e < 1, e);
        if (labels->uniform) continue;
        target_shifted = f32_select(labels->each == c, shifted, target_shifted);
        target_exponential = f32_select(labels->each == c, e, target_exponential);
    }
    vf32 reciprocal = 1 / sum;
    block->reciprocal = f32_keep(labels->valid, reciprocal);
    if (!cross_entropy) return;
    if (labels->uniform) {
        target_shifted = f32_load(logits_of(at, labels->one)) - largest;
        target_exponential = block->exponential[labels->one];
    }
    vf32 others = sum - 1;
    block->rest = f32_select(sum < 2, below_one, others);
    block->target_exponential = target_exponential;
    block->target_shifted = target_shifted;
    if (totals) block->lse = f32_fma(block->rest - others, reciprocal, log_positive(sum));
}

LANES_INLINE vf32 probability_of(const softmax_block *block, int c) {
    return block->exponential[c] * block->reciprocal;
}

// ----------------------------------------------------------------------------------------------------- totals ----

LANES_INLINE void total_product(const block_labels *labels, int c, vf32 p, u64x16 quanta, softmax_sums *sums) {
    if (labels->uniform) {
        if (labels->one != c) return;
        sums->product[c] += quanta;
    } else {
        vi32 here = labels->each == c;
        if (!i32_any(here)) return;
        sums->count[c] -= here;
        exact_add(&sums->product[c], block_tree(f32_keep(here, p)), PROBABILITY_ANCHOR);
    }
    sums->product_blocks[c]++;
}

LANES_INLINE void total_region(softmax_kind kind, const block_labels *labels, const softmax_block *block,
                               softmax_sums *sums) {
    for (int c = 0; c < kind.classes; c++) {
        vf32 p = probability_of(block, c);
        u64x16 quanta = exact_quanta(block_tree(p), PROBABILITY_ANCHOR);
        sums->probability[c] += quanta;
        total_product(labels, c, p, quanta, sums);
        if (kind.squares) exact_add(&sums->square[c], block_tree(p * p), PROBABILITY_ANCHOR);
    }
}

LANES_INLINE void count_labels(int classes, const block_labels *labels, softmax_sums *sums) {
    for (int c = 0; c < classes; c++) sums->count[c] -= labels->each == c;
}

// A cross-entropy term's loss, without the voxel weight.
LANES_INLINE vf32 cross_entropy_loss(const pointwise_formula *term, softmax_kind kind, const run *at,
                                     const block_labels *labels, const softmax_block *block) {
    vf32 nll = block->lse - block->target_shifted;
    if (term->plain) return nll;
    vf32 loss = by_label(labels, term->target_factor, kind.classes) * nll;
    // Logits of -3e38 are a way to rule classes out; unsmoothed, their infinite share must not enter.
    if (term->smoothing == 0) return loss;
    vf32 unused = {0}, largest = largest_logit((softmax_kind){.classes = kind.classes}, at, &unused), shifted_sum = {0};
    for (int c = 0; c < kind.classes; c++)
        shifted_sum = f32_fma(f32_splat(term->class_weight[c]), f32_load(logits_of(at, c)) - largest, shifted_sum);
    vf32 smooth = f32_fma(f32_splat(term->class_weight_sum), block->lse, -shifted_sum);
    return f32_fma(f32_splat(term->smoothing), smooth, loss);
}

LANES_INLINE void total_cross_entropy_weight(const pointwise_formula *term, int k, int classes,
                                             const block_labels *labels, vf32 weight, softmax_sums *sums) {
    vf32 own = term->plain ? weight : by_label(labels, term->class_weight, classes) * weight;
    add_limited(&sums->weight[k], own, &sums->beyond);
}

LANES_INLINE void total_cross_entropy(const formula *f, softmax_kind kind, const run *at, const block_labels *labels,
                                      const softmax_block *block, softmax_sums *sums) {
    for (int k = 0; k < f->pointwise_count; k++) {
        const pointwise_formula *term = &f->pointwise[k];
        vf32 loss = cross_entropy_loss(term, kind, at, labels, block) * block->weight;
        add_limited(&sums->loss[k], f32_keep(labels->valid, loss), &sums->beyond);
        if (at->weights) total_cross_entropy_weight(term, k, kind.classes, labels, block->weight, sums);
    }
}

// --------------------------------------------------------------------------------------------------- gradient ----

// A cross-entropy term's derivative by the logit of class c, without its coefficient and voxel weight.
LANES_INLINE vf32 cross_entropy_slope(const pointwise_formula *term, int classes, const block_labels *labels, int c,
                                      vf32 p, vf32 deviation) {
    if (term->plain) return deviation;
    vf32 slope = by_label(labels, term->target_factor, classes) * deviation;
    vf32 smooth = f32_fma(f32_splat(term->class_weight_sum), p, f32_splat(-term->class_weight[c]));
    return f32_fma(f32_splat(term->smoothing), smooth, slope);
}

// q_c
LANES_INLINE vf32 region_slope(softmax_kind kind, const run_coefficients *k, const block_labels *labels, int c,
                               vf32 p) {
    vf32 picked = by_class(labels, c, k->target[c] + k->constant[c], k->constant[c]);
    return kind.squares ? f32_fma(f32_splat(k->probability[c]), p, picked) : picked;
}

// `top` and `dot`: relative to the most probable class nothing cancels where the network is sure.
LANES_INLINE vf32 region_dot(softmax_kind kind, const run_coefficients *k, const block_labels *labels,
                             const softmax_block *block, vf32 *top) {
    *top = f32_splat(0);
    for (int c = 0; c < kind.classes; c++) {
        vf32 slope = region_slope(kind, k, labels, c, probability_of(block, c));
        *top = f32_select(block->exponential[c] < 1, *top, slope);
    }
    vf32 dot = {0};
    for (int c = 0; c < kind.classes; c++) {
        vf32 p = probability_of(block, c);
        dot = f32_fma(p, region_slope(kind, k, labels, c, p) - *top, dot);
    }
    return dot;
}

LANES_INLINE void write_gradient(const formula *f, softmax_kind kind, const run *at, const run_coefficients *k,
                                 const block_labels *labels, const softmax_block *block) {
    vf32 top, dot, target_deviation, factor[CLOSS_MAX_TERMS];
    if (kind.wants & WANTS_REGION) dot = region_dot(kind, k, labels, block, &top);
    if (kind.wants & WANTS_CROSS_ENTROPY) {
        target_deviation = f32_select(block->target_exponential < 1, block->target_exponential * block->reciprocal - 1,
                                      -block->rest * block->reciprocal);
        for (int i = 0; i < f->pointwise_count; i++)
            factor[i] = f32_keep(labels->valid, k->pointwise[i] * block->weight);
    }
    for (int c = 0; c < kind.classes; c++) {
        vf32 p = probability_of(block, c);
        vf32 slope = {0};
        if (kind.wants & WANTS_CROSS_ENTROPY) {
            vf32 deviation = f32_select(of_class(labels, c), target_deviation, p);
            for (int i = 0; i < f->pointwise_count; i++)
                slope = f32_fma(factor[i], cross_entropy_slope(&f->pointwise[i], kind.classes, labels, c, p, deviation),
                                slope);
        }
        if (kind.wants & WANTS_REGION) slope = f32_fma(p, (region_slope(kind, k, labels, c, p) - top) - dot, slope);
        store_gradient(at->gradient + c * at->class_stride, slope, at->store);
    }
}

// ------------------------------------------------------------------------------------------------------ walks ----

LANES_INLINE void softmax_one_block(const formula *f, softmax_kind kind, const run *at, const run_coefficients *k,
                                    const block_labels *labels, softmax_block *block, softmax_sums *sums) {
    exponentiate(kind, at, labels, block, &sums->not_finite);
    if (kind.mode & MODE_TOTALS) {
        if (kind.wants & WANTS_REGION)
            total_region(kind, labels, block, sums);
        else if (f->counts)
            count_labels(kind.classes, labels, sums);
        if (kind.wants & WANTS_CROSS_ENTROPY) total_cross_entropy(f, kind, at, labels, block, sums);
        sums->blocks++;
    }
    if (kind.mode & MODE_GRADIENT) write_gradient(f, kind, at, k, labels, block);
}

// Any run.
LANES_INLINE void softmax_blocks(const formula *f, softmax_kind kind, const run *whole, const run_coefficients *k,
                                 softmax_sums *sums) {
    softmax_block block;
    FOR_EACH_BLOCK(whole, at, kind.classes, {
        block_labels labels = mixed_labels(decode_labels(f, &at, kind.classes, &sums->bad));
        sums->valid -= labels.valid;
        if (kind.wants & WANTS_CROSS_ENTROPY || at.weights)
            block.weight = decode_weights(&at, labels.valid, &sums->bad);
        softmax_one_block(f, kind, &at, k, &labels, &block, sums);
    });
}

// The formula of one plain cross entropy (if there is a cross entropy at all) with its choices as constants.
LANES_INLINE formula plain_formula(const formula *f, softmax_kind kind) {
    formula plain = {.counts = f->region, .pointwise_count = kind.wants & WANTS_CROSS_ENTROPY ? 1 : 0};
    plain.pointwise[0] = (pointwise_formula){.kind = CLOSS_CROSS_ENTROPY, .plain = 1};
    return plain;
}

// A block of one label, the most common; of several; and, the least common, of some that do not count.
LANES_INLINE void simple_softmax_block(const formula *f, softmax_kind kind, const run *at, vu8 each, vu8 ignored,
                                       const run_coefficients *k, softmax_block *block, softmax_sums *sums) {
    if (byte_bits(ignored)) {
        vi32 counted = ~(__builtin_convertvector(ignored, vi32) != 0);
        block_labels labels = mixed_labels(i32_select(counted, __builtin_convertvector(each, vi32), i32_splat(-1)));
        if (kind.mode & MODE_TOTALS) sums->valid += ~counted; // the others are taken to count
        block->weight = f32_keep(counted, f32_splat(1));
        softmax_one_block(f, kind, at, k, &labels, block, sums);
        return;
    }
    block->weight = f32_splat(1);
    if (__builtin_reduce_and(each == each[0]) && each[0] < kind.classes) {
        block_labels labels = uniform_labels(each[0]);
        if (kind.mode & MODE_TOTALS) sums->uniform_blocks[labels.one]++;
        softmax_one_block(f, kind, at, k, &labels, block, sums);
    } else {
        block_labels labels = {.each = __builtin_convertvector(each, vi32), .valid = i32_splat(-1)};
        softmax_one_block(f, kind, at, k, &labels, block, sums);
    }
}

// The whole blocks of a simple run; gives back how many voxels that was.
LANES_INLINE int64_t simple_softmax_blocks(const formula *f, softmax_kind kind, const run *whole,
                                           const run_coefficients *k, softmax_sums *sums) {
    const formula plain = plain_formula(f, kind);
    const int ignores = f->has_ignore_index && f->ignore_index == (uint8_t)f->ignore_index;
    const uint8_t ignore = (uint8_t)f->ignore_index;
    softmax_block block;
    int64_t offset = 0;
    for (; offset + BLOCK_VOXELS <= whole->voxels; offset += BLOCK_VOXELS) {
        run at = simple_block(whole, offset);
        vu8 each = *(const vu8_anywhere *)at.targets, ignored = {0};
        if (ignores) ignored = (vu8)(each == ignore);
        if (kind.mode & MODE_TOTALS)
            sums->largest_label = __builtin_elementwise_max(each & ~ignored, sums->largest_label);
        simple_softmax_block(&plain, kind, &at, each, ignored, k, &block, sums);
    }
    if (kind.mode & MODE_TOTALS) {
        sums->valid += (int32_t)(offset / BLOCK_VOXELS);
        if (any_byte_beyond(sums->largest_label, kind.classes)) sums->bad = i32_splat(-1);
    }
    return offset;
}

// Whether the walk for simple runs knows all that the formula asks for.
LANES_INLINE int is_plain(const formula *f) {
    return !f->squares && (f->pointwise_count == 0 || (f->pointwise_count == 1 && f->pointwise[0].plain));
}

// Simple runs have copies of the walk with the class count fixed, where the compiler makes the most of it.
LANES_INLINE int64_t simple_by_classes(const formula *f, int wants, int mode, const run *whole,
                                       const run_coefficients *k, softmax_sums *sums) {
    if (!is_plain(f) || !is_simple(whole)) return 0;
    switch (f->classes) {
    case 2: return simple_softmax_blocks(f, (softmax_kind){2, wants, mode, 0}, whole, k, sums);
    case 3: return simple_softmax_blocks(f, (softmax_kind){3, wants, mode, 0}, whole, k, sums);
    case 4: return simple_softmax_blocks(f, (softmax_kind){4, wants, mode, 0}, whole, k, sums);
    default: return simple_softmax_blocks(f, (softmax_kind){f->classes, wants, mode, 0}, whole, k, sums);
    }
}

LANES_INLINE void softmax_by_classes(const formula *f, int wants, int mode, const run *whole, const run_coefficients *k,
                                     softmax_sums *sums) {
    run rest = run_from(whole, simple_by_classes(f, wants, mode, whole, k, sums));
    softmax_blocks(f, (softmax_kind){f->classes, wants, mode, f->squares}, &rest, k, sums);
}

LANES_INLINE void softmax_by_families(const formula *f, int mode, const run *whole, const run_coefficients *k,
                                      softmax_sums *sums) {
    if (!f->pointwise_count)
        softmax_by_classes(f, WANTS_REGION, mode, whole, k, sums);
    else if (!f->region)
        softmax_by_classes(f, WANTS_CROSS_ENTROPY, mode, whole, k, sums);
    else
        softmax_by_classes(f, WANTS_REGION | WANTS_CROSS_ENTROPY, mode, whole, k, sums);
}

static void clear_softmax_sums(const formula *f, softmax_sums *sums) {
    for (int c = 0; c < f->classes; c++) {
        sums->product[c] = sums->probability[c] = sums->square[c] = (u64x16){0};
        sums->product_blocks[c] = sums->uniform_blocks[c] = 0;
        sums->count[c] = (vi32){0};
    }
    for (int k = 0; k < f->pointwise_count; k++) sums->loss[k] = sums->weight[k] = (u64x16){0};
    sums->valid = sums->bad = (vi32){0};
    sums->beyond = (i32x16){0};
    sums->largest_label = (vu8){0};
    sums->not_finite = (vf32){0};
    sums->blocks = 0;
}

static fault finish_softmax_sums(const formula *f, const run *whole, const softmax_sums *sums, run_sums *out) {
    if (i32_any(sums->bad | ~(sums->not_finite == 0)) || any_beyond(sums->beyond)) return FAULT_FOUND;
    int64_t blocks = sums->blocks;
    out->valid = count_total(sums->valid);
    for (int k = 0; k < f->pointwise_count; k++) {
        out->loss[k] = exact_total(sums->loss[k], LOSS_ANCHOR, blocks);
        if (whole->weights) out->weight[k] = exact_total(sums->weight[k], LOSS_ANCHOR, blocks);
    }
    for (int c = 0; c < f->classes; c++) {
        class_sums *s = &out->classes[c];
        if (f->counts) s->count = count_total(sums->count[c]) + sums->uniform_blocks[c] * BLOCK_VOXELS;
        if (!f->region) continue;
        s->product = exact_total(sums->product[c], PROBABILITY_ANCHOR, sums->product_blocks[c]);
        s->probability = exact_total(sums->probability[c], PROBABILITY_ANCHOR, blocks);
        s->square = f->squares ? exact_total(sums->square[c], PROBABILITY_ANCHOR, blocks) : 0;
    }
    return FAULT_NONE;
}

static fault softmax_totals(const formula *f, const run *whole, run_sums *out) {
    softmax_sums sums;
    clear_softmax_sums(f, &sums);
    softmax_by_families(f, MODE_TOTALS, whole, 0, &sums);
    return finish_softmax_sums(f, whole, &sums, out);
}

static void softmax_gradient(const formula *f, const run *whole, const run_coefficients *k) {
    softmax_sums unused;
    unused.bad = unused.valid = (vi32){0};
    softmax_by_families(f, MODE_GRADIENT, whole, k, &unused);
}

static fault softmax_totals_and_gradient(const formula *f, const run *whole, const run_coefficients *k, run_sums *out) {
    softmax_sums sums;
    clear_softmax_sums(f, &sums);
    softmax_by_classes(f, WANTS_CROSS_ENTROPY, MODE_TOTALS | MODE_GRADIENT, whole, k, &sums);
    return finish_softmax_sums(f, whole, &sums, out);
}

#endif
