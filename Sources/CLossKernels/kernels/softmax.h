// One block of a softmax over the classes, with pointwise, per-channel and region terms (arithmetic 4), and the sums of
// a run's blocks.
//
// A block's exponentials are kept for all classes: with few classes the compiler holds them in registers, with many
// they stay in the cache.
#ifndef CLOSS_KERNELS_SOFTMAX_H
#define CLOSS_KERNELS_SOFTMAX_H

#include "kernels/block.h"
#include "kernels/elementary.h"
#include "kernels/exact.h"
#include "kernels/region_slope.h"
#include "kernels/softmax_terms.h"
#include "kernels/taken.h"

enum { WANTS_REGION = 1, WANTS_POINTWISE = 2 };

// Where the derivative by a probability is held that maps take beyond it (arithmetic 4.7): differences stay finite.
static const float LARGEST_SLOPE = 0x1p+124f;

// Of a walk for labels: so few classes that their exponentials are held in registers; and so many that logits are read
// ahead, which has to be done once only: planes of 2^k voxels all have their lines in one set of a cache, and push each
// other out of it. With fewer classes several threads, which share the memory, lose by it.
enum { FEW_CLASSES = 4, MANY_CLASSES = 48 };

typedef struct softmax_kind {
    int classes;
    int wants;
    int mode;
    int squares; // of probabilities are totalled
    int plain;   // the one pointwise term that there may be is a plain cross entropy
    int soft;    // targets are dense
    int extras;  // there may be label smoothing, terms per channel, errors, or class parts
    int minimum; // ... and the smaller of probability and target is totalled
    int holds;   // the logits of a block until their exponentials are there: they are read once
    int ahead;   // ... and are read while the block before is computed
    int bounded; // squares of logits are added up
    int floats;  // logits and gradient have no other type
} softmax_kind;

// What the classes of a block have in common.
typedef struct softmax_block {
    vf32 reciprocal;                         // r, +0 where the voxel does not count, so that p is +0 there
    vf32 lse;                                // log of the sum of exponentials, relative to the largest logit
    vf32 rest;                               // the sum of all exponentials but the largest
    vf32 largest;                            // m
    vf32 target_shifted, target_exponential; // x_y and e_y
    vf32 target_deviation;                   // d_y
    vf32 weight;                             // v
    vf32 *exponential;                       // [classes]; before, the logits that are held
    const run *next;                         // the block whose logits are read ahead; NULL: none
    vf32 *next_logit;                        // [classes]
    vf32 next_largest;                       // the largest of them
    int was_next;                            // that was this block: its logits have been read
    vf32 *share;                             // S_c, [classes]; of dense targets
    vf32 *slope;                             // q_c, [classes]; where a term is an error
    int64_t first;                           // the number of its first voxel in the run
    vi32 taken;                              // lanes that the selection term takes
} softmax_block;

// The sums of one class.
typedef struct softmax_class {
    u64x16 product, probability, square, target, target_square, minimum;
    vi32 count;             // of voxels in other blocks
    int64_t product_blocks; // that were added to `product`: a block without the class is passed over
    int64_t uniform_blocks;
    int64_t loss[CLOSS_MAX_TERMS], loss_rest[CLOSS_MAX_TERMS]; // of each pointwise term, in quanta; with class parts
} softmax_class;

typedef struct softmax_sums {
    softmax_class *of;     // [classes]
    u64x16 weighted_valid; // of weighted sums
    vi32 valid;
    u64x16 loss[CLOSS_MAX_TERMS], weight[CLOSS_MAX_TERMS];
    u64x16 loss_rest[CLOSS_MAX_TERMS]; // of terms that keep rests
    vf32 not_finite;                   // NaN in a lane that met a NaN or an infinity, 0 otherwise
    vi32 bad;                          // lanes with a label, target or weight that cannot be
    vu8 largest_label;                 // of a simple walk
    i32x16 beyond;                     // lanes whose loss or weight left the exact range
    int64_t blocks;
} softmax_sums;

LANES_INLINE vf32 logit_of(const run *at, int c) {
    return load_floats(logits_from(at->logits, at->logits_type, c * at->class_stride), at->logits_type);
}

LANES_INLINE vf32 probability_of(const softmax_block *block, int c) {
    return block->exponential[c] * block->reciprocal;
}

// ---------------------------------------------------------------------------------------------- dense targets ----

// g_c of a block, +0 where the voxel does not count.
LANES_INLINE vf32 dense_target(const run *at, const block_labels *labels, int c) {
    if (at->target == CLOSS_DENSE_F32)
        return f32_keep(labels->valid, f32_load((const float *)at->targets + c * at->class_stride));
    vi32 positive = load_bytes((const uint8_t *)at->targets + c * at->class_stride) == 1;
    return f32_keep(labels->valid & positive, f32_splat(1));
}

// Which voxels count; `bad` collects the lanes whose targets cannot be. Under the mask they may be anything.
LANES_INLINE block_labels check_dense_targets(const formula *f, const run *at, vi32 *bad) {
    block_labels labels = {.each = i32_splat(-1), .valid = load_mask(at)};
    vf32 sum = {0};
    for (int c = 0; c < f->classes; c++) {
        vf32 g = dense_target(at, &labels, c);
        *bad |= f->lovasz ? ~((g == 0) | (g == 1)) : ~((g >= 0) & (g <= 1));
        if (at->target == CLOSS_DENSE_U8)
            *bad |= labels.valid & (load_bytes((const uint8_t *)at->targets + c * at->class_stride) > 1);
        sum += g;
    }
    if (f->classwise) *bad |= labels.valid & ~(f32_abs(sum - 1) <= DISTRIBUTION_TOLERANCE);
    return labels;
}

LANES_INLINE vf32 target_of(softmax_kind kind, const run *at, const block_labels *labels, int c) {
    return kind.soft ? dense_target(at, labels, c) : by_class(labels, c, 1, 0);
}

// ----------------------------------------------------------------------------------------------- exponentials ----

// What is not finite stays so, times 0 or squared.
LANES_INLINE void look_at_logit(softmax_kind kind, vf32 logit, vf32 *not_finite) {
    if (!(kind.mode & MODE_TOTALS)) return;
    *not_finite = f32_fma(logit, kind.bounded ? logit : f32_splat(0), *not_finite);
}

// The logits of few classes, or of very many, stay where their exponentials will be; others are read again.
LANES_INLINE vf32 largest_logit(softmax_kind kind, const run *at, softmax_block *block, vf32 *not_finite) {
    if (kind.ahead && block->was_next) return block->next_largest;
    vf32 largest = logit_of(at, 0);
    if (kind.holds) block->exponential[0] = largest;
    look_at_logit(kind, largest, not_finite);
    for (int c = 1; c < kind.classes; c++) {
        vf32 logit = logit_of(at, c);
        if (kind.holds) block->exponential[c] = logit;
        look_at_logit(kind, logit, not_finite);
        largest = f32_larger(logit, largest);
    }
    return largest;
}

// A class of the next block; gives back the largest logit so far. Among the arithmetic of exponentials there is time to
// wait for the nearest cache, and for memory, which is asked for the block after.
LANES_INLINE vf32 read_ahead(softmax_kind kind, softmax_block *block, int c, vf32 largest, vf32 *not_finite) {
    if (c + CLASSES_AHEAD < kind.classes) prefetch_class(block->next, c + CLASSES_AHEAD);
    prefetch_next_block(block->next, c, 1);
    vf32 logit = logit_of(block->next, c);
    look_at_logit(kind, logit, not_finite);
    block->next_logit[c] = logit;
    return f32_larger(logit, largest);
}

// Exponentials, their sums, and what the label picks of them.
LANES_INLINE void exponentiate(const formula *f, softmax_kind kind, const run *at, const block_labels *labels,
                               softmax_block *block, vf32 *not_finite) {
    int pointwise = kind.wants & WANTS_POINTWISE, picks = pointwise && !kind.soft;
    int rests = pointwise || (kind.squares && kind.mode & MODE_GRADIENT);
    vf32 largest = largest_logit(kind, at, block, not_finite), next_largest = f32_splat(-__builtin_inff());
    vf32 sum = {0}, below_one = {0}, target_shifted = {0}, target_exponential = {0};
    for (int c = 0; c < kind.classes; c++) {
        vf32 shifted = (kind.holds ? block->exponential[c] : logit_of(at, c)) - largest;
        vf32 e = exp_nonpositive(shifted);
        block->exponential[c] = e;
        if (kind.ahead) {
            if (block->next) next_largest = read_ahead(kind, block, c, next_largest, not_finite);
        } else if (at->ahead_bytes) {
            prefetch_beside(at, c);
        } else if (kind.classes > FEW_CLASSES) {
            prefetch_next_block(at, c, 0);
        }
        sum += e;
        if (rests) below_one = f32_select(e >= 1, below_one, below_one + e); // this way round, one masked addition
        if (!picks || labels->uniform) continue;
        target_shifted = f32_select(labels->each == c, shifted, target_shifted);
        target_exponential = f32_select(labels->each == c, e, target_exponential);
    }
    if (kind.ahead) block->next_largest = next_largest;
    vf32 reciprocal = 1 / sum;
    block->reciprocal = f32_keep(labels->valid, reciprocal);
    if (!rests) return;
    vf32 others = sum - 1;
    block->rest = f32_select(sum < 2, below_one, others);
    if (!pointwise) return;
    block->largest = largest;
    if (kind.mode & MODE_TOTALS || f->has_curves)
        block->lse = f32_fma(block->rest - others, reciprocal, log_positive(sum));
    if (!picks) return;
    if (labels->uniform) {
        target_shifted = logit_of(at, labels->one) - largest;
        target_exponential = block->exponential[labels->one];
    }
    block->target_exponential = target_exponential;
    block->target_shifted = target_shifted;
    block->target_deviation = f32_select(target_exponential < 1, target_exponential * block->reciprocal - 1,
                                         -block->rest * block->reciprocal);
}

// ------------------------------------------------------------------------------------------------------ curves ----

// The curve at the label.
LANES_INLINE curve label_curve(const pointwise_formula *term, softmax_kind kind, const block_labels *labels,
                               const softmax_block *block) {
    vf32 gamma = f32_splat(term->gamma);
    if (term->class_gamma) gamma = by_label(labels, term->class_gamma, kind.classes);
    return curve_at(term, block->lse - block->target_shifted, -block->target_deviation,
                    block->target_exponential * block->reciprocal, gamma);
}

// The curve at class c.
LANES_INLINE curve class_curve(const pointwise_formula *term, const run *at, const softmax_block *block, int c) {
    vf32 p = probability_of(block, c), n = block->lse - (logit_of(at, c) - block->largest);
    vf32 miss = f32_select(block->exponential[c] < 1, 1 - p, block->rest * block->reciprocal);
    return curve_at(term, n, miss, p, f32_splat(term->class_gamma ? term->class_gamma[c] : term->gamma));
}

// ----------------------------------------------------------------------------------------------------- totals ----

LANES_INLINE void total_product(const block_labels *labels, int c, vf32 p, u64x16 quanta, softmax_class *sums) {
    if (labels->uniform) {
        if (labels->one != c) return;
        sums->product += quanta;
    } else {
        vi32 here = labels->each == c;
        if (!i32_any(here)) return;
        sums->count -= here;
        exact_add(&sums->product, block_tree(f32_keep(here, p)), PROBABILITY_ANCHOR);
    }
    sums->product_blocks++;
}

LANES_INLINE void total_dense_product(softmax_kind kind, const run *at, const block_labels *labels, int c, vf32 p,
                                      softmax_class *sums) {
    vf32 g = dense_target(at, labels, c);
    exact_add(&sums->product, block_tree(p * g), PROBABILITY_ANCHOR);
    sums->product_blocks++;
    if (at->target == CLOSS_DENSE_U8) {
        sums->count -= g > 0;
        return;
    }
    exact_add(&sums->target, block_tree(g), PROBABILITY_ANCHOR);
    if (kind.squares) exact_add(&sums->target_square, block_tree(g * g), PROBABILITY_ANCHOR);
    if (kind.minimum) exact_add(&sums->minimum, block_tree(f32_select(p < g, p, g)), PROBABILITY_ANCHOR);
}

LANES_INLINE void total_region(softmax_kind kind, const run *at, const block_labels *labels, const softmax_block *block,
                               softmax_sums *sums) {
    for (int c = 0; c < kind.classes; c++) {
        vf32 p = probability_of(block, c);
        u64x16 quanta = exact_quanta(block_tree(p), PROBABILITY_ANCHOR);
        sums->of[c].probability += quanta;
        if (kind.soft)
            total_dense_product(kind, at, labels, c, p, &sums->of[c]);
        else
            total_product(labels, c, p, quanta, &sums->of[c]);
        if (kind.squares) exact_add(&sums->of[c].square, block_tree(p * p), PROBABILITY_ANCHOR);
    }
}

// All sums times the voxel's weight: they have the losses' quantum and limit.
LANES_INLINE void total_weighted_region(softmax_kind kind, const run *at, const block_labels *labels,
                                        const softmax_block *block, softmax_sums *sums) {
    for (int c = 0; c < kind.classes; c++) {
        softmax_class *of = &sums->of[c];
        vf32 p = probability_of(block, c), weighted = p * block->weight;
        vf32 g = target_of(kind, at, labels, c), target = block->weight * g;
        add_limited(&of->probability, weighted, &sums->beyond);
        add_limited(&of->product, weighted * g, &sums->beyond);
        add_limited(&of->target, target, &sums->beyond);
        if (kind.squares) add_limited(&of->square, weighted * p, &sums->beyond);
        if (kind.squares && kind.soft) add_limited(&of->target_square, target * g, &sums->beyond);
        if (kind.minimum) add_limited(&of->minimum, block->weight * f32_select(p < g, p, g), &sums->beyond);
    }
    add_limited(&sums->weighted_valid, block->weight, &sums->beyond);
}

// Of blocks that are not uniform: those are counted as blocks.
LANES_INLINE void count_labels(int classes, const block_labels *labels, softmax_sums *sums) {
    if (labels->uniform) return;
    for (int c = 0; c < classes; c++) sums->of[c].count -= labels->each == c;
}

// U of a cross entropy with label smoothing. Logits of -3e38 are a way to rule classes out: unsmoothed, their infinite
// share must not enter, and this is not called.
LANES_INLINE vf32 smooth_loss(const pointwise_formula *term, softmax_kind kind, const run *at,
                              const softmax_block *block) {
    vf32 shifted_sum = {0};
    for (int c = 0; c < kind.classes; c++)
        shifted_sum = f32_fma(f32_splat(term->class_weight[c]), logit_of(at, c) - block->largest, shifted_sum);
    return f32_fma(f32_splat(term->class_weight_sum), block->lse, -shifted_sum);
}

LANES_INLINE vf32 dense_loss(const pointwise_formula *term, softmax_kind kind, const run *at,
                             const block_labels *labels, const softmax_block *block) {
    vf32 loss = {0};
    for (int c = 0; c < kind.classes; c++) {
        vf32 g = dense_target(at, labels, c);
        vf32 added = f32_fma(term->target_factor[c] * g, class_curve(term, at, block, c).value, loss);
        loss = f32_select(g > 0, added, loss);
    }
    return loss;
}

// p - g of class c (arithmetic 4.6, 4.7).
LANES_INLINE vf32 class_difference(softmax_kind kind, const run *at, const block_labels *labels,
                                   const softmax_block *block, int c, vf32 p) {
    vf32 miss = f32_select(block->exponential[c] < 1, 1 - p, block->rest * block->reciprocal);
    if (!kind.soft) return pick_by_class(labels, c, -miss, p);
    vf32 g = dense_target(at, labels, c);
    return error_difference(g == 1, p, miss, g);
}

LANES_INLINE vf32 class_map(const pointwise_formula *term, const run *at, int c) {
    if (term->distances) return f32_load(distances_at(at, term, c));
    return term->kind == CLOSS_LINEAR_MAP ? f32_load(at->maps + c * at->class_stride) : f32_splat(0);
}

// The loss of class c alone, of a term per channel or an error.
LANES_INLINE vf32 one_class_loss(const pointwise_formula *term, softmax_kind kind, const run *at,
                                 const block_labels *labels, const softmax_block *block, int c) {
    vf32 loss;
    if (is_error(term->kind)) {
        vf32 p = probability_of(block, c);
        return error_loss(term, p, class_difference(kind, at, labels, block, c, p), class_map(term, at, c));
    }
    vf32 logit = logit_of(at, c), target = target_of(kind, at, labels, c);
    sigmoid_loss(term, c, &logit, &target, &loss);
    return loss;
}

LANES_INLINE vf32 per_channel_loss(const pointwise_formula *term, softmax_kind kind, const run *at,
                                   const block_labels *labels, const softmax_block *block) {
    vf32 loss = {0};
    for (int c = 0; c < kind.classes; c++) {
        vf32 own = one_class_loss(term, kind, at, labels, block, c);
        loss = term->has_class_weights ? f32_fma(f32_splat(term->class_weight[c]), own, loss) : loss + own;
    }
    return loss;
}

// A term's loss, without the voxel weight.
LANES_INLINE vf32 softmax_loss(const pointwise_formula *term, softmax_kind kind, const run *at,
                               const block_labels *labels, const softmax_block *block) {
    if (kind.plain || (!kind.extras && term->plain)) return block->lse - block->target_shifted;
    if (kind.extras && term->per_channel) return per_channel_loss(term, kind, at, labels, block);
    vf32 loss;
    if (kind.soft) {
        loss = dense_loss(term, kind, at, labels, block);
    } else {
        loss = label_curve(term, kind, labels, block).value;
        if (!term->plain) loss = by_label(labels, term->target_factor, kind.classes) * loss;
    }
    if (!kind.extras || term->smoothing == 0) return loss;
    return f32_fma(f32_splat(term->smoothing), smooth_loss(term, kind, at, block), loss);
}

// A term's weight. Without voxel weights, those of labels and of per-channel terms come from counts.
LANES_INLINE void total_softmax_weight(const formula *f, const pointwise_formula *term, int k, int soft, const run *at,
                                       const block_labels *labels, vf32 weight, softmax_sums *sums) {
    int of_values = weighs_values(term);
    if (!at->weights && (!soft || of_values)) return;
    vf32 own = f32_splat(1);
    if (of_values) {
        own = f32_splat(term->class_weight_sum);
    } else if (soft) {
        own = f32_splat(0);
        for (int c = 0; c < f->classes; c++)
            own = f32_fma(f32_splat(term->class_weight[c]), dense_target(at, labels, c), own);
    } else if (term->has_class_weights) {
        own = by_label(labels, term->class_weight, f->classes);
    }
    add_limited(&sums->weight[k], own * weight, &sums->beyond);
}

// What the classes add to a term (arithmetic 6.6); `loss` is that of all.
LANES_OUTLINED void total_class_parts(const formula *f, int k, int soft, const run *at, const block_labels *labels,
                                      const softmax_block *block, const vf32 *loss, softmax_sums *sums) {
    const pointwise_formula *term = &f->pointwise[k];
    if (soft && !term->per_channel) return;
    for (int c = 0; c < f->classes; c++) {
        vi32 here = term->per_channel ? labels->valid : labels->each == c;
        if (!i32_any(here)) continue;
        vf32 own = *loss;
        if (term->per_channel) {
            own = one_class_loss(term, (softmax_kind){.soft = soft}, at, labels, block, c);
            if (term->has_class_weights) own = f32_splat(term->class_weight[c]) * own;
            own = own * block->weight;
        }
        u64x16 quanta = {0}, rest = {0};
        add_limited_with_rest(&quanta, &rest, f32_keep(here, own), &sums->beyond);
        sums->of[c].loss[k] += exact_total(quanta, LOSS_ANCHOR, 1);
        sums->of[c].loss_rest[k] += exact_total(rest, REST_ANCHOR, 1);
    }
}

LANES_INLINE void total_pointwise(const formula *f, softmax_kind kind, const run *at, const block_labels *labels,
                                  const softmax_block *block, softmax_sums *sums) {
    for (int k = 0; k < f->pointwise_count; k++) {
        const pointwise_formula *term = &f->pointwise[k];
        vf32 loss = softmax_loss(term, kind, at, labels, block) * block->weight;
        loss = f32_keep(labels->valid, loss);
        if (kind.extras && keeps_rest(term))
            add_limited_with_rest(&sums->loss[k], &sums->loss_rest[k], loss, &sums->beyond);
        else if (kind.extras && is_signed(term->kind))
            add_limited_signed(&sums->loss[k], loss, &sums->beyond);
        else
            add_limited(&sums->loss[k], loss, &sums->beyond);
        if (kind.extras && f->class_parts) total_class_parts(f, k, kind.soft, at, labels, block, &loss, sums);
        if (!kind.plain || at->weights) total_softmax_weight(f, term, k, kind.soft, at, labels, block->weight, sums);
    }
}

// --------------------------------------------------------------------------------------------------- gradient ----

// The smoothing of all terms together (arithmetic 4.3).
typedef struct smoothing {
    float all;        // M
    const float *own; // M_c
} smoothing;

static inline smoothing gather_smoothing(const formula *f, const run_coefficients *k, float *own) {
    smoothing s = {0, own};
    for (int c = 0; c < f->classes; c++) own[c] = 0;
    for (int i = 0; i < f->pointwise_count; i++) {
        const pointwise_formula *term = &f->pointwise[i];
        if (term->smoothing == 0) continue;
        s.all = one_fma(k->pointwise[i], term->smoothing * term->class_weight_sum, s.all);
        for (int c = 0; c < f->classes; c++)
            own[c] = one_fma(k->pointwise[i], term->smoothing * term->class_weight[c], own[c]);
    }
    return s;
}

// K v of a term.
LANES_INLINE vf32 voxel_factor(const run_coefficients *k, int i, const block_labels *labels,
                               const softmax_block *block) {
    return f32_keep(labels->valid, k->pointwise[i] * block->weight);
}

// The same of the term that ranks losses: +0 where it does not take the voxel.
LANES_INLINE vf32 ranked_factor(const run_coefficients *k, const softmax_block *block) {
    return f32_keep(block->taken, k->balanced * block->weight);
}

// What smoothing adds for class c to the derivative of the losses that are taken.
LANES_INLINE vf32 taken_smoothing(const pointwise_formula *taken, int c, vf32 p) {
    float all = taken->smoothing * taken->class_weight_sum, own = taken->smoothing * taken->class_weight[c];
    return f32_fma(f32_splat(all), p, f32_splat(-own));
}

// S: what all pointwise terms together make of the label's likelihood.
LANES_INLINE vf32 label_share(const formula *f, softmax_kind kind, const run_coefficients *k,
                              const block_labels *labels, const softmax_block *block) {
    vf32 share = {0};
    for (int i = 0; i < f->pointwise_count; i++) {
        const pointwise_formula *term = &f->pointwise[i];
        if (kind.extras && term->per_channel) continue;
        vf32 slope = f32_splat(1);
        if (!kind.plain && !term->plain) {
            slope = label_curve(term, kind, labels, block).slope;
            slope = by_label(labels, term->target_factor, kind.classes) * slope;
        }
        share = f32_fma(voxel_factor(k, i, labels, block), slope, share);
    }
    if (kind.extras && f->ranks) {
        vf32 slope = by_label(labels, f->taken.target_factor, kind.classes);
        share = f32_fma(ranked_factor(k, block), slope, share);
    }
    return share;
}

// S_c of dense targets; gives back their sum, T, and that of the classes whose exponential is below 1, O.
LANES_INLINE vf32 dense_shares(const formula *f, softmax_kind kind, const run *at, const run_coefficients *k,
                               const block_labels *labels, softmax_block *block, vf32 *others) {
    vf32 sum = {0};
    *others = f32_splat(0);
    for (int c = 0; c < kind.classes; c++) {
        vf32 g = dense_target(at, labels, c), share = {0};
        for (int i = 0; i < f->pointwise_count; i++) {
            const pointwise_formula *term = &f->pointwise[i];
            if (term->per_channel) continue;
            vf32 slope = (term->target_factor[c] * g) * class_curve(term, at, block, c).slope;
            share = f32_fma(voxel_factor(k, i, labels, block), slope, share);
        }
        if (f->ranks) share = f32_fma(ranked_factor(k, block), f->taken.target_factor[c] * g, share);
        block->share[c] = f32_keep(g > 0, share);
        sum += block->share[c];
        *others += f32_keep(block->exponential[c] < 1, block->share[c]);
    }
    return sum;
}

// An exponent makes a confident class's share so large that the others' would be lost in a difference.
LANES_INLINE vf32 dense_slope(const softmax_block *block, int c, vf32 p, vf32 sum, vf32 others) {
    vf32 confident = f32_fma(-sum, block->rest * block->reciprocal, others);
    vi32 top = (block->exponential[c] == 1) & (block->reciprocal > 0.5f);
    return f32_select(top, confident, f32_fma(sum, p, -block->share[c]));
}

LANES_INLINE vf32 per_channel_slope(const formula *f, softmax_kind kind, const run *at, const run_coefficients *k,
                                    const block_labels *labels, const softmax_block *block, int c, vf32 slope) {
    vf32 logit = logit_of(at, c), target = target_of(kind, at, labels, c);
    for (int i = 0; i < f->pointwise_count; i++) {
        const pointwise_formula *term = &f->pointwise[i];
        if (!term->per_channel || is_error(term->kind)) continue;
        vf32 own;
        sigmoid_slope(term, c, &logit, &target, &own);
        if (term->has_class_weights) own = f32_splat(term->class_weight[c]) * own;
        slope = f32_fma(voxel_factor(k, i, labels, block), own, slope);
    }
    return slope;
}

// T g + B (1 - g), M in both where p < g.
LANES_INLINE vf32 dense_region_slope(softmax_kind kind, const run *at, const run_coefficients *k, vf32 g, int c,
                                     vf32 p) {
    vf32 slope = between_targets(k->target[c], k->other[c], g);
    if (!kind.minimum || at->target != CLOSS_DENSE_F32) return slope;
    return around_target(between_targets(k->target_below[c], k->other_below[c], g), slope, p, g);
}

// q_c
LANES_INLINE vf32 region_slope(softmax_kind kind, const run *at, const run_coefficients *k, const block_labels *labels,
                               const softmax_block *block, int c) {
    vf32 p = probability_of(block, c), picked;
    if (kind.soft)
        picked = dense_region_slope(kind, at, k, dense_target(at, labels, c), c, p);
    else
        picked = by_class(labels, c, k->target[c], k->other[c]);
    if (!kind.squares) return picked;
    return f32_fma(f32_splat(k->square[c]), class_difference(kind, at, labels, block, c, p), picked);
}

// Adds what the errors make of each class's probability (arithmetic 4.7), and a Lovasz term (8.8). With weighted
// regions the voxel's weight waits for the probability.
LANES_OUTLINED void add_error_slopes(const formula *f, int soft, const run *at, const run_coefficients *k,
                                     const block_labels *labels, softmax_block *block) {
    for (int c = 0; c < f->classes; c++) {
        vf32 d, slope = block->slope[c];
        if (f->errors)
            d = class_difference((softmax_kind){.soft = soft}, at, labels, block, c, probability_of(block, c));
        for (int i = 0; f->errors && i < f->pointwise_count; i++) {
            const pointwise_formula *term = &f->pointwise[i];
            if (!is_error(term->kind)) continue;
            vf32 own = error_slope(term, d, class_map(term, at, c));
            if (term->has_class_weights) own = f32_splat(term->class_weight[c]) * own;
            vf32 factor = f->weighted ? f32_splat(k->pointwise[i]) : voxel_factor(k, i, labels, block);
            slope = f32_fma(factor, own, slope);
        }
        if (f->lovasz && k->lovasz[c] != 0)
            slope = f32_fma(f32_splat(k->lovasz[c]), f32_load(at->lovasz_slopes + c * at->lovasz_stride), slope);
        slope = f32_larger(slope, f32_splat(-LARGEST_SLOPE));
        block->slope[c] = f32_select(slope < LARGEST_SLOPE, slope, f32_splat(LARGEST_SLOPE));
    }
}

LANES_INLINE void find_error_slopes(const formula *f, softmax_kind kind, const run *at, const run_coefficients *k,
                                    const block_labels *labels, softmax_block *block) {
    for (int c = 0; c < kind.classes; c++)
        block->slope[c] = kind.wants & WANTS_REGION ? region_slope(kind, at, k, labels, block, c) : f32_splat(0);
    add_error_slopes(f, kind.soft, at, k, labels, block);
}

// q_c: the derivative by the probability, of the region terms and then of the errors.
LANES_INLINE vf32 probability_slope(const formula *f, softmax_kind kind, const run *at, const run_coefficients *k,
                                    const block_labels *labels, const softmax_block *block, int c) {
    if (kind.extras && slopes_by_probability(f)) return block->slope[c];
    return region_slope(kind, at, k, labels, block, c);
}

// `top` and `dot`: relative to the most probable class nothing cancels where the network is sure.
LANES_INLINE vf32 region_dot(const formula *f, softmax_kind kind, const run *at, const run_coefficients *k,
                             const block_labels *labels, const softmax_block *block, vf32 *top) {
    *top = f32_splat(0);
    for (int c = 0; c < kind.classes; c++) {
        vf32 slope = probability_slope(f, kind, at, k, labels, block, c);
        *top = f32_select(block->exponential[c] < 1, *top, slope);
    }
    vf32 dot = {0};
    for (int c = 0; c < kind.classes; c++) {
        vf32 p = probability_of(block, c);
        dot = f32_fma(p, probability_slope(f, kind, at, k, labels, block, c) - *top, dot);
    }
    return dot;
}

LANES_INLINE void write_gradient(const formula *f, softmax_kind kind, const run *at, const run_coefficients *k,
                                 const smoothing *smooth, const block_labels *labels, softmax_block *block) {
    vf32 top, dot, share, others;
    int pointwise = kind.wants & WANTS_POINTWISE, classwise = pointwise && (!kind.extras || f->classwise);
    if (kind.extras && f->ranks) {
        vf32 loss = softmax_loss(&f->ranked, kind, at, labels, block) * block->weight;
        block->taken = labels->valid & taken_lanes(k, loss, block->first);
    }
    int errors = kind.extras && slopes_by_probability(f), by_probability = kind.wants & WANTS_REGION || errors;
    if (errors) find_error_slopes(f, kind, at, k, labels, block);
    if (by_probability) dot = region_dot(f, kind, at, k, labels, block, &top);
    if (classwise)
        share =
            kind.soft ? dense_shares(f, kind, at, k, labels, block, &others) : label_share(f, kind, k, labels, block);
    for (int c = 0; c < kind.classes; c++) {
        vf32 p = probability_of(block, c);
        vf32 slope = {0};
        if (pointwise) {
            if (classwise && kind.soft)
                slope = dense_slope(block, c, p, share, others);
            else if (classwise)
                slope = share * pick_by_class(labels, c, block->target_deviation, p);
            if (kind.extras && f->smooths)
                slope = f32_fma(block->weight, f32_fma(f32_splat(smooth->all), p, f32_splat(-smooth->own[c])), slope);
            if (kind.extras && f->ranks && f->taken.smoothing != 0)
                slope = f32_fma(ranked_factor(k, block), taken_smoothing(&f->taken, c, p), slope);
            if (kind.extras && f->per_channel) slope = per_channel_slope(f, kind, at, k, labels, block, c, slope);
        }
        if (by_probability) {
            vf32 own = f->weighted ? p * block->weight : p;
            slope = f32_fma(own, (probability_slope(f, kind, at, k, labels, block, c) - top) - dot, slope);
        }
        store_gradient(at, c * at->class_stride, slope);
    }
}

#endif
