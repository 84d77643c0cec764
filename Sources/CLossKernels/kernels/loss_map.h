// The unreduced losses of a run, value by value (arithmetic 6.5): what the walks add up, before they add it.
#ifndef CLOSS_KERNELS_LOSS_MAP_H
#define CLOSS_KERNELS_LOSS_MAP_H

#include "kernels/channel.h"
#include "kernels/softmax.h"

// A term's losses joined to those of the terms before it.
LANES_INLINE vf32 join_losses(const loss_map_factors *m, int k, vf32 loss, vf32 losses) {
    vf32 factor = f32_splat(m->factor[k]);
    return m->only < 0 ? f32_fma(factor, loss, losses) : factor * loss;
}

LANES_INLINE int is_mapped(const loss_map_factors *m, int k) { return m->only < 0 || m->only == k; }

LANES_INLINE vf32 softmax_block_losses(const formula *f, softmax_kind kind, const run *at, const loss_map_factors *m,
                                       softmax_block *block) {
    vi32 bad = {0};
    vf32 not_finite = {0}, losses = {0};
    block_labels labels =
        kind.soft ? check_dense_targets(f, at, &bad) : mixed_labels(decode_labels(f, at, kind.classes, &bad));
    block->weight = decode_weights(at, labels.valid, &bad);
    exponentiate(f, kind, at, &labels, block, &not_finite);
    for (int k = 0; k < f->pointwise_count; k++) {
        if (!is_mapped(m, k)) continue;
        vf32 loss = softmax_loss(&f->pointwise[k], kind, at, &labels, block) * block->weight;
        losses = join_losses(m, k, f32_keep(labels.valid, loss), losses);
    }
    return losses;
}

LANES_INLINE vf32 channel_block_losses(const formula *f, const run *at, const loss_map_factors *m) {
    channel_values x = {.input = f32_load(at->logits)};
    vi32 bad = {0};
    vf32 losses = {0};
    load_target(f, at, &x, &bad);
    x.weight = decode_weights(at, x.valid, &bad);
    if (f->maps) x.map = f32_load(at->maps);
    activate(f->activation, f->logarithms, &x);
    for (int k = 0; k < f->pointwise_count; k++) {
        if (!is_mapped(m, k)) continue;
        vf32 loss = pointwise_loss(0, &f->pointwise[k], at, &x);
        if (!f->pointwise[k].weighs_positives) loss = loss * x.weight;
        losses = join_losses(m, k, f32_keep(x.valid, loss), losses);
    }
    return losses;
}

// The last block of a sample is shorter than the vector.
LANES_INLINE void store_losses(float *map, int64_t left, vf32 losses) {
    if (left >= LANES)
        f32_store(map, losses);
    else
        memcpy(map, &losses, (size_t)left * sizeof *map);
}

LANES_INLINE void softmax_losses(const formula *f, int soft, const run *whole, const loss_map_factors *m, float *map) {
    const softmax_kind kind = {
        .classes = f->classes, .wants = WANTS_POINTWISE, .mode = MODE_TOTALS, .soft = soft, .extras = 1};
    vf32 exponentials[kind.classes], shares[1];
    softmax_block block = {.exponential = exponentials, .share = shares};
    int64_t first = 0;
    FOR_EACH_BLOCK(whole, at, kind.classes, {
        store_losses(map + first, whole->voxels - first, softmax_block_losses(f, kind, &at, m, &block));
        first += BLOCK_VOXELS;
    });
}

LANES_INLINE void channel_losses(const formula *f, const run *whole, const loss_map_factors *m, float *map) {
    int64_t first = 0;
    FOR_EACH_BLOCK(whole, at, 1, {
        store_losses(map + first, whole->voxels - first, channel_block_losses(f, &at, m));
        first += BLOCK_VOXELS;
    });
}

// The run is known to be good.
void OF_ISA(loss_map)(const formula *f, const run *whole, const loss_map_factors *m, float *map) {
    if (f->activation != CLOSS_SOFTMAX)
        channel_losses(f, whole, m, map);
    else if (target_is_dense(whole->target))
        softmax_losses(f, 1, whole, m, map);
    else
        softmax_losses(f, 0, whole, m, map);
}

#endif
