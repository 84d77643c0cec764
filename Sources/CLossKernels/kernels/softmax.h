// Softmax over the classes with cross entropy and region terms (arithmetic 4).
//
// A block's exponentials are kept as [classes][4 vectors]; with few classes the compiler keeps them in registers, with
// many they stay in the first-level cache. `classes`, `wants` and `mode` are constants wherever a caller passes some, so
// that each kernel in the table below holds only what it needs.
#ifndef CLOSS_KERNELS_SOFTMAX_H
#define CLOSS_KERNELS_SOFTMAX_H

#include "kernels/block.h"
#include "kernels/elementary.h"
#include "kernels/exact.h"

enum { WANTS_REGION = 1, WANTS_CROSS_ENTROPY = 2 };
enum { MODE_TOTALS = 1, MODE_GRADIENT = 2 };

// One vector of voxels of a block: what the classes have in common.
typedef struct softmax_voxels {
    i32x16 label, valid;
    f32x16 reciprocal; // r, +0 where the voxel does not count, so that p is +0 there
    f32x16 lse;        // log of the sum of exponentials, relative to the largest logit
    f32x16 rest;       // the sum of all exponentials but the largest
    f32x16 target_shifted, target_exponential; // x_y and e_y
    f32x16 weight;     // v
} softmax_voxels;

typedef struct softmax_block {
    softmax_voxels voxels[BLOCK_VECTORS];
    f32x16 exponential[CLOSS_MAX_CLASSES][BLOCK_VECTORS];
} softmax_block;

typedef struct softmax_sums {
    u64x16 product[CLOSS_MAX_CLASSES], probability[CLOSS_MAX_CLASSES], square[CLOSS_MAX_CLASSES];
    i32x16 count[CLOSS_MAX_CLASSES];
    i32x16 valid;
    u64x16 loss[CLOSS_MAX_TERMS], weight[CLOSS_MAX_TERMS];
    f32x16 not_finite; // NaN in a lane that met a NaN or an infinity, 0 otherwise
    i32x16 bad;
    int64_t blocks;
} softmax_sums;

LANES_INLINE const float *logits_at(const run *at, int c, int v) {
    return at->logits + c * at->class_stride + v * LANES;
}

// Exponentials, their sums, and what the label picks of them.
LANES_INLINE void softmax_vector(const run *at, int classes, int wants, int v, softmax_block *block,
                                 f32x16 *not_finite) {
    softmax_voxels *x = &block->voxels[v];
    f32x16 largest = f32_load(logits_at(at, 0, v));
    *not_finite = f32_fma(largest, f32_splat(0), *not_finite);
    for (int c = 1; c < classes; c++) {
        f32x16 logit = f32_load(logits_at(at, c, v));
        *not_finite = f32_fma(logit, f32_splat(0), *not_finite);
        largest = f32_larger(logit, largest);
    }
    f32x16 sum = {0}, below_one = {0};
    x->target_shifted = x->target_exponential = f32_splat(0);
    for (int c = 0; c < classes; c++) {
        f32x16 shifted = f32_load(logits_at(at, c, v)) - largest;
        f32x16 e = exp_nonpositive(shifted);
        block->exponential[c][v] = e;
        sum += e;
        if (wants & WANTS_CROSS_ENTROPY) {
            i32x16 here = x->label == c;
            below_one += f32_keep(e < 1, e);
            x->target_shifted = f32_select(here, shifted, x->target_shifted);
            x->target_exponential = f32_select(here, e, x->target_exponential);
        }
    }
    f32x16 reciprocal = 1 / sum;
    x->reciprocal = f32_keep(x->valid, reciprocal);
    if (wants & WANTS_CROSS_ENTROPY) {
        f32x16 others = sum - 1;
        x->rest = f32_select(sum < 2, below_one, others);
        x->lse = f32_fma(x->rest - others, reciprocal, log_positive(sum));
    }
}

LANES_INLINE f32x16 softmax_probability(const softmax_block *block, int c, int v) {
    return block->exponential[c][v] * block->voxels[v].reciprocal;
}

LANES_INLINE void total_region(const formula *f, int classes, const softmax_block *block, softmax_sums *sums) {
    for (int c = 0; c < classes; c++) {
        f32x16 p[BLOCK_VECTORS], product[BLOCK_VECTORS];
        for (int v = 0; v < BLOCK_VECTORS; v++) {
            i32x16 here = block->voxels[v].label == c;
            p[v] = softmax_probability(block, c, v);
            product[v] = f32_keep(here, p[v]);
            sums->count[c] -= here;
        }
        exact_add(&sums->product[c], block_tree(product), PROBABILITY_ANCHOR);
        exact_add(&sums->probability[c], block_tree(p), PROBABILITY_ANCHOR);
        if (f->squares) {
            for (int v = 0; v < BLOCK_VECTORS; v++) p[v] *= p[v];
            exact_add(&sums->square[c], block_tree(p), PROBABILITY_ANCHOR);
        }
    }
}

LANES_INLINE void count_labels(int classes, const softmax_block *block, softmax_sums *sums) {
    for (int c = 0; c < classes; c++)
        for (int v = 0; v < BLOCK_VECTORS; v++) sums->count[c] -= block->voxels[v].label == c;
}

// The entry of a table by class that belongs to each voxel's label.
LANES_INLINE f32x16 by_label(const float *table, int classes, i32x16 label) {
    f32x16 picked = {0};
    for (int c = 0; c < classes; c++) picked = f32_select(label == c, f32_splat(table[c]), picked);
    return picked;
}

// A cross-entropy term's loss of one vector, without the voxel weight.
LANES_INLINE f32x16 cross_entropy_loss(const pointwise_formula *term, const run *at, int classes,
                                       const softmax_voxels *x, int v) {
    f32x16 nll = x->lse - x->target_shifted;
    if (term->plain) return nll;
    f32x16 loss = by_label(term->target_factor, classes, x->label) * nll;
    // Logits of -3e38 are a way to rule classes out; unsmoothed, their infinite share must not enter.
    if (term->smoothing == 0) return loss;
    f32x16 largest = f32_load(logits_at(at, 0, v));
    for (int c = 1; c < classes; c++) largest = f32_larger(f32_load(logits_at(at, c, v)), largest);
    f32x16 shifted_sum = {0};
    for (int c = 0; c < classes; c++)
        shifted_sum = f32_fma(f32_splat(term->class_weight[c]), f32_load(logits_at(at, c, v)) - largest, shifted_sum);
    f32x16 smooth = f32_fma(f32_splat(term->class_weight_sum), x->lse, -shifted_sum);
    return f32_fma(f32_splat(term->smoothing), smooth, loss);
}

LANES_INLINE void total_cross_entropy_weight(const pointwise_formula *term, int k, int classes,
                                             const softmax_block *block, softmax_sums *sums) {
    f32x16 weight[BLOCK_VECTORS];
    for (int v = 0; v < BLOCK_VECTORS; v++) {
        const softmax_voxels *x = &block->voxels[v];
        weight[v] = term->plain ? x->weight : by_label(term->class_weight, classes, x->label) * x->weight;
    }
    f32x16 t = block_tree(weight);
    sums->bad |= beyond_limit(t);
    exact_add(&sums->weight[k], t, LOSS_ANCHOR);
}

LANES_INLINE void total_cross_entropy(const formula *f, const run *at, int classes, const softmax_block *block,
                                      softmax_sums *sums) {
    for (int k = 0; k < f->pointwise_count; k++) {
        const pointwise_formula *term = &f->pointwise[k];
        f32x16 loss[BLOCK_VECTORS];
        for (int v = 0; v < BLOCK_VECTORS; v++) {
            const softmax_voxels *x = &block->voxels[v];
            loss[v] = f32_keep(x->valid, cross_entropy_loss(term, at, classes, x, v) * x->weight);
        }
        f32x16 t = block_tree(loss);
        sums->bad |= beyond_limit(t);
        exact_add(&sums->loss[k], t, LOSS_ANCHOR);
        if (at->weights) total_cross_entropy_weight(term, k, classes, block, sums);
    }
}

// A cross-entropy term's derivative by the logit of class c, without its coefficient and voxel weight.
LANES_INLINE f32x16 cross_entropy_slope(const pointwise_formula *term, int classes, const softmax_voxels *x, int c,
                                        f32x16 p, f32x16 deviation) {
    if (term->plain) return deviation;
    f32x16 slope = by_label(term->target_factor, classes, x->label) * deviation;
    f32x16 smooth = f32_fma(f32_splat(term->class_weight_sum), p, f32_splat(-term->class_weight[c]));
    return f32_fma(f32_splat(term->smoothing), smooth, slope);
}

LANES_INLINE f32x16 region_slope(const run_coefficients *k, i32x16 label, int c, f32x16 p) {
    f32x16 picked = f32_select(label == c, f32_splat(k->target[c] + k->constant[c]), f32_splat(k->constant[c]));
    return f32_fma(f32_splat(k->probability[c]), p, picked);
}

LANES_INLINE void gradient_vector(const formula *f, const run *at, const run_coefficients *k, int classes, int wants,
                                  const softmax_block *block, int v) {
    const softmax_voxels *x = &block->voxels[v];
    f32x16 dot = {0}, top = {0}, target_deviation = {0}, factor[CLOSS_MAX_TERMS];
    if (wants & WANTS_REGION) {
        // Relative to the most probable class nothing cancels where the network is sure.
        for (int c = 0; c < classes; c++) {
            f32x16 slope = region_slope(k, x->label, c, softmax_probability(block, c, v));
            top = f32_select(block->exponential[c][v] < 1, top, slope);
        }
        for (int c = 0; c < classes; c++) {
            f32x16 p = softmax_probability(block, c, v);
            dot = f32_fma(p, region_slope(k, x->label, c, p) - top, dot);
        }
    }
    if (wants & WANTS_CROSS_ENTROPY) {
        target_deviation = f32_select(x->target_exponential < 1, x->target_exponential * x->reciprocal - 1,
                                      -x->rest * x->reciprocal);
        for (int i = 0; i < f->pointwise_count; i++)
            factor[i] = f32_keep(x->valid, f32_splat(k->pointwise[i]) * x->weight);
    }
    for (int c = 0; c < classes; c++) {
        f32x16 p = softmax_probability(block, c, v);
        f32x16 slope = {0};
        if (wants & WANTS_CROSS_ENTROPY) {
            f32x16 deviation = f32_select(x->label == c, target_deviation, p);
            for (int i = 0; i < f->pointwise_count; i++)
                slope = f32_fma(factor[i],
                                cross_entropy_slope(&f->pointwise[i], classes, x, c, p, deviation), slope);
        }
        if (wants & WANTS_REGION) slope = f32_fma(p, (region_slope(k, x->label, c, p) - top) - dot, slope);
        store_gradient(at->gradient + c * at->class_stride + v * LANES, slope, at->store);
    }
}

LANES_INLINE void softmax_one_block(const formula *f, const run *at, const run_coefficients *k, int classes, int wants,
                                    int mode, softmax_block *block, softmax_sums *sums) {
    block_labels labels = decode_labels(f, at, classes, &sums->bad);
    for (int v = 0; v < BLOCK_VECTORS; v++) {
        softmax_voxels *x = &block->voxels[v];
        x->label = labels.label[v];
        x->valid = x->label >= 0;
        if (wants & WANTS_CROSS_ENTROPY) x->weight = decode_weights(at, v, x->valid, &sums->bad);
        softmax_vector(at, classes, wants, v, block, &sums->not_finite);
    }
    if (mode & MODE_TOTALS) {
        if (wants & WANTS_REGION)
            total_region(f, classes, block, sums);
        else if (f->counts)
            count_labels(classes, block, sums);
        if (wants & WANTS_CROSS_ENTROPY) total_cross_entropy(f, at, classes, block, sums);
        for (int v = 0; v < BLOCK_VECTORS; v++) sums->valid -= block->voxels[v].valid;
        sums->blocks++;
    }
    if (mode & MODE_GRADIENT)
        for (int v = 0; v < BLOCK_VECTORS; v++) gradient_vector(f, at, k, classes, wants, block, v);
}

LANES_INLINE void softmax_blocks(const formula *f, const run *whole, const run_coefficients *k, int classes, int wants,
                                 int mode, softmax_sums *sums) {
    softmax_block block;
    FOR_EACH_BLOCK(whole, at, classes, softmax_one_block(f, &at, k, classes, wants, mode, &block, sums));
}

static void clear_softmax_sums(softmax_sums *sums, int classes, int pointwise_count) {
    for (int c = 0; c < classes; c++) {
        sums->product[c] = sums->probability[c] = sums->square[c] = (u64x16){0};
        sums->count[c] = (i32x16){0};
    }
    for (int k = 0; k < pointwise_count; k++) sums->loss[k] = sums->weight[k] = (u64x16){0};
    sums->valid = sums->bad = (i32x16){0};
    sums->not_finite = (f32x16){0};
    sums->blocks = 0;
}

static fault finish_softmax_sums(const formula *f, const run *whole, const softmax_sums *sums, run_sums *out) {
    if (i32_any(sums->bad | ~(sums->not_finite == 0))) return FAULT_FOUND;
    int64_t blocks = sums->blocks;
    out->valid = count_total(sums->valid);
    for (int k = 0; k < f->pointwise_count; k++) {
        out->loss[k] = exact_total(sums->loss[k], LOSS_ANCHOR, blocks);
        if (whole->weights) out->weight[k] = exact_total(sums->weight[k], LOSS_ANCHOR, blocks);
    }
    for (int c = 0; c < f->classes; c++) {
        class_sums *s = &out->classes[c];
        if (f->counts) s->count = count_total(sums->count[c]);
        if (!f->region) continue;
        s->product = exact_total(sums->product[c], PROBABILITY_ANCHOR, blocks);
        s->probability = exact_total(sums->probability[c], PROBABILITY_ANCHOR, blocks);
        s->square = f->squares ? exact_total(sums->square[c], PROBABILITY_ANCHOR, blocks) : 0;
    }
    return FAULT_NONE;
}

// Copies of the walk with the class count and the families fixed, where the compiler makes the most of it.
LANES_INLINE void softmax_by_classes(const formula *f, const run *whole, const run_coefficients *k, int wants, int mode,
                                     softmax_sums *sums) {
    switch (f->classes) {
    case 2: softmax_blocks(f, whole, k, 2, wants, mode, sums); break;
    case 3: softmax_blocks(f, whole, k, 3, wants, mode, sums); break;
    case 4: softmax_blocks(f, whole, k, 4, wants, mode, sums); break;
    default: softmax_blocks(f, whole, k, f->classes, wants, mode, sums); break;
    }
}

LANES_INLINE void softmax_by_families(const formula *f, const run *whole, const run_coefficients *k, int mode,
                                      softmax_sums *sums) {
    if (!f->pointwise_count)
        softmax_by_classes(f, whole, k, WANTS_REGION, mode, sums);
    else if (!f->region)
        softmax_by_classes(f, whole, k, WANTS_CROSS_ENTROPY, mode, sums);
    else
        softmax_by_classes(f, whole, k, WANTS_REGION | WANTS_CROSS_ENTROPY, mode, sums);
}

static fault softmax_totals(const formula *f, const run *whole, run_sums *out) {
    softmax_sums sums;
    clear_softmax_sums(&sums, f->classes, f->pointwise_count);
    softmax_by_families(f, whole, 0, MODE_TOTALS, &sums);
    return finish_softmax_sums(f, whole, &sums, out);
}

static void softmax_gradient(const formula *f, const run *whole, const run_coefficients *k) {
    softmax_sums unused;
    unused.bad = (i32x16){0};
    unused.not_finite = (f32x16){0};
    softmax_by_families(f, whole, k, MODE_GRADIENT, &unused);
}

static fault softmax_totals_and_gradient(const formula *f, const run *whole, const run_coefficients *k, run_sums *out) {
    softmax_sums sums;
    clear_softmax_sums(&sums, f->classes, f->pointwise_count);
    softmax_by_classes(f, whole, k, WANTS_CROSS_ENTROPY, MODE_TOTALS | MODE_GRADIENT, &sums);
    return finish_softmax_sums(f, whole, &sums, out);
}

#endif
