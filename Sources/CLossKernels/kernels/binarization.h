// The differentiable binarization of two maps, and the Dice loss of it (arithmetic 10).
#ifndef CLOSS_KERNELS_BINARIZATION_H
#define CLOSS_KERNELS_BINARIZATION_H

#include <string.h>

#include "kernels/elementary.h"
#include "kernels/exact.h"
#include "kernels/formula.h"

typedef struct sigmoid_pair {
    vf32 p, q; // q = 1 - p without cancellation
} sigmoid_pair;

LANES_INLINE sigmoid_pair stable_sigmoid(vf32 x) {
    vf32 e = exp_nonpositive(-f32_abs(x));
    vf32 r = f32_splat(1) / (f32_splat(1) + e);
    vf32 er = e * r;
    vi32 above = x >= 0;
    return (sigmoid_pair){f32_select(above, r, er), f32_select(above, er, r)};
}

// A map's value and what its derivative is multiplied by.
LANES_INLINE sigmoid_pair map_value(int logits, vf32 x) {
    if (!logits) return (sigmoid_pair){x, f32_splat(1)};
    sigmoid_pair s = stable_sigmoid(x);
    return (sigmoid_pair){s.p, s.p * s.q};
}

typedef struct binarized_block {
    vi32 valid;
    vf32 target;
    vf32 map_slope, threshold_slope;
    sigmoid_pair b;
} binarized_block;

// The last voxels of a sample, filled up to a block with what does not count.
typedef struct binarization_padding {
    float map[BLOCK_VOXELS], threshold[BLOCK_VOXELS], target[BLOCK_VOXELS];
    float map_gradient[BLOCK_VOXELS], threshold_gradient[BLOCK_VOXELS];
    uint8_t mask[BLOCK_VOXELS];
} binarization_padding;

LANES_INLINE binarized_block binarize(const binarization_run *at) {
    binarized_block x;
    vi32 inside = lane_numbers() < (int32_t)at->voxels;
    x.valid = inside;
    if (at->mask) x.valid &= __builtin_convertvector(*(const vu8_anywhere *)at->mask, vi32) != 0;
    if (at->target == CLOSS_DENSE_F32)
        x.target = f32_load(at->targets);
    else
        x.target = __builtin_convertvector(__builtin_convertvector(*(const vu8_anywhere *)at->targets, vi32), vf32);
    sigmoid_pair map = map_value(at->logits, f32_load(at->map));
    sigmoid_pair threshold = map_value(at->logits, f32_load(at->threshold));
    x.map_slope = map.q;
    x.threshold_slope = threshold.q;
    x.b = stable_sigmoid(f32_splat(at->steepness) * (map.p - threshold.p));
    return x;
}

static binarization_run binarization_from(const binarization_run *whole, int64_t offset) {
    binarization_run at = *whole;
    at.map += offset;
    at.threshold += offset;
    at.targets = (const char *)whole->targets + (size_t)offset * target_bytes(whole->target);
    if (at.mask) at.mask += offset;
    if (at.map_gradient) at.map_gradient += offset;
    if (at.threshold_gradient) at.threshold_gradient += offset;
    at.voxels = whole->voxels - offset < BLOCK_VOXELS ? whole->voxels - offset : BLOCK_VOXELS;
    return at;
}

static binarization_run binarization_padded(const binarization_run *rest, binarization_padding *pad) {
    binarization_run at = *rest;
    size_t voxels = (size_t)rest->voxels, bytes = voxels * sizeof(float);
    memset(pad, 0, sizeof *pad);
    at.map = memcpy(pad->map, rest->map, bytes);
    at.threshold = memcpy(pad->threshold, rest->threshold, bytes);
    at.targets = memcpy(pad->target, rest->targets, voxels * target_bytes(rest->target));
    if (rest->mask) at.mask = memcpy(pad->mask, rest->mask, voxels);
    if (rest->map_gradient) at.map_gradient = memcpy(pad->map_gradient, rest->map_gradient, bytes);
    if (rest->threshold_gradient)
        at.threshold_gradient = memcpy(pad->threshold_gradient, rest->threshold_gradient, bytes);
    return at;
}

static void binarization_copy_back(const binarization_run *rest, const binarization_padding *pad) {
    size_t bytes = (size_t)rest->voxels * sizeof(float);
    if (rest->map_gradient) memcpy(rest->map_gradient, pad->map_gradient, bytes);
    if (rest->threshold_gradient) memcpy(rest->threshold_gradient, pad->threshold_gradient, bytes);
}

#define FOR_EACH_BINARIZED(whole, at, ...)                                                                             \
    for (int64_t offset_ = 0; offset_ < (whole)->voxels; offset_ += BLOCK_VOXELS) {                                    \
        binarization_padding pad_;                                                                                     \
        binarization_run rest_ = binarization_from(whole, offset_);                                                    \
        int partial_ = rest_.voxels < BLOCK_VOXELS;                                                                    \
        binarization_run at = partial_ ? binarization_padded(&rest_, &pad_) : rest_;                                   \
        __VA_ARGS__;                                                                                                   \
        if (partial_) binarization_copy_back(&rest_, &pad_);                                                           \
    }

static void binarization_totals(const binarization_run *whole, binarization_sums *out) {
    u64x16 product = {}, map = {}, target = {};
    int64_t blocks = 0;
    FOR_EACH_BINARIZED(whole, at, {
        binarized_block x = binarize(&at);
        vf32 b = f32_keep(x.valid, x.b.p), g = f32_keep(x.valid, x.target);
        exact_add(&product, block_tree(b * g), PROBABILITY_ANCHOR);
        exact_add(&map, block_tree(b), PROBABILITY_ANCHOR);
        exact_add(&target, block_tree(g), PROBABILITY_ANCHOR);
        blocks++;
    });
    out->product = exact_total(product, PROBABILITY_ANCHOR, blocks);
    out->map = exact_total(map, PROBABILITY_ANCHOR, blocks);
    out->target = exact_total(target, PROBABILITY_ANCHOR, blocks);
}

static void binarization_gradient(const binarization_run *whole, float target, float constant) {
    FOR_EACH_BINARIZED(whole, at, {
        binarized_block x = binarize(&at);
        vf32 q = f32_fma(f32_splat(target), x.target, f32_splat(constant));
        vf32 h = (f32_splat(at.steepness) * (x.b.p * x.b.q)) * q;
        if (at.map_gradient) f32_store(at.map_gradient, f32_load(at.map_gradient) + f32_keep(x.valid, h * x.map_slope));
        if (at.threshold_gradient)
            f32_store(at.threshold_gradient,
                      f32_load(at.threshold_gradient) - f32_keep(x.valid, h * x.threshold_slope));
    });
}

#endif
