// A run's sums of a softmax, before its first block and after its last.
#ifndef CLOSS_KERNELS_SOFTMAX_SUMS_H
#define CLOSS_KERNELS_SOFTMAX_SUMS_H

#include "kernels/softmax.h"

static void clear_softmax_sums(const formula *f, softmax_class *classes, softmax_sums *sums) {
    memset(classes, 0, (size_t)f->classes * sizeof *classes);
    sums->of = classes;
    for (int k = 0; k < f->pointwise_count; k++) sums->loss[k] = sums->loss_rest[k] = sums->weight[k] = (u64x16){0};
    sums->weighted_valid = (u64x16){0};
    sums->valid = sums->bad = (vi32){0};
    sums->beyond = (i32x16){0};
    sums->largest_label = (vu8){0};
    sums->not_finite = (vf32){0};
    sums->blocks = 0;
}

static fault finish_softmax_sums(const formula *f, const run *whole, const softmax_sums *sums, run_sums *out) {
    vi32 finite = f->bounded ? sums->not_finite < BOUNDED_SQUARES : sums->not_finite == 0;
    if (i32_any(sums->bad | ~finite) || any_beyond(sums->beyond)) return FAULT_FOUND;
    int64_t blocks = sums->blocks;
    int soft = out->soft = target_is_dense(whole->target);
    out->valid = count_total(sums->valid);
    for (int k = 0; k < f->pointwise_count; k++) {
        out->loss[k] = exact_total(sums->loss[k], LOSS_ANCHOR, blocks);
        out->loss_rest[k] = keeps_rest(&f->pointwise[k]) ? exact_total(sums->loss_rest[k], REST_ANCHOR, blocks) : 0;
        out->weight_rest[k] = 0;
        if (whole->weights || (soft && !weighs_values(&f->pointwise[k])))
            out->weight[k] = exact_total(sums->weight[k], LOSS_ANCHOR, blocks);
    }
    for (int c = 0; c < f->classes; c++) {
        class_sums *s = &out->classes[c];
        const softmax_class *from = &sums->of[c];
        s->count = count_total(from->count) + from->uniform_blocks * BLOCK_VOXELS;
        if (f->class_parts) {
            memcpy(s->loss, from->loss, sizeof s->loss);
            memcpy(s->loss_rest, from->loss_rest, sizeof s->loss_rest);
        }
        if (!f->region) continue;
        double anchor = f->weighted ? LOSS_ANCHOR : PROBABILITY_ANCHOR;
        int dense = whole->target == CLOSS_DENSE_F32;
        s->product = exact_total(from->product, anchor, f->weighted ? blocks : from->product_blocks);
        s->probability = exact_total(from->probability, anchor, blocks);
        s->square = f->squares ? exact_total(from->square, anchor, blocks) : 0;
        if (dense || f->weighted) s->target = exact_total(from->target, anchor, blocks);
        if (dense && f->squares) s->target_square = exact_total(from->target_square, anchor, blocks);
        if (dense && f->minimum) s->minimum = exact_total(from->minimum, anchor, blocks);
        if (f->weighted) s->valid = exact_total(sums->weighted_valid, anchor, blocks);
    }
    return FAULT_NONE;
}

#endif
