// What a Hausdorff loss's maps are made of beside distances: the predicted regions, and powers (arithmetic 13).
// Included once for each instruction set.
#ifndef CLOSS_KERNELS_HAUSDORFF_H
#define CLOSS_KERNELS_HAUSDORFF_H

#include "kernels/channel.h"
#include "kernels/hausdorff_job.h"
#include "kernels/softmax.h"

// ------------------------------------------------------------------------------------------------- predictions ----

LANES_INLINE void store_mask(uint8_t *to, int64_t left, vi32 mask) {
    vu8 bytes = __builtin_convertvector(mask & 1, vu8);
    memcpy(to, &bytes, (size_t)(left < BLOCK_VOXELS ? left : BLOCK_VOXELS));
}

// The class of the largest input; the first of equals.
LANES_INLINE void largest_masks(const run *at, int classes, uint8_t *masks, int64_t stride, int64_t left) {
    vf32 largest = logit_of(at, 0);
    for (int c = 1; c < classes; c++) largest = f32_larger(logit_of(at, c), largest);
    vi32 taken = {0};
    for (int c = 0; c < classes; c++) {
        vi32 here = (logit_of(at, c) == largest) & ~taken;
        store_mask(masks + c * stride, left, here);
        taken |= here;
    }
}

LANES_INLINE void softmax_masks(const formula *f, const run *at, vf32 *exponentials, uint8_t *masks, int64_t stride,
                                int64_t left) {
    const softmax_kind kind = {.classes = f->classes};
    const block_labels labels = {.each = i32_splat(-1), .valid = i32_splat(-1)};
    softmax_block block = {.exponential = exponentials};
    vf32 not_finite = {0};
    exponentiate(f, kind, at, &labels, &block, &not_finite);
    for (int c = 0; c < f->classes; c++) store_mask(masks + c * stride, left, probability_of(&block, c) > 0.5f);
}

LANES_INLINE void channel_masks(const formula *f, const run *at, uint8_t *masks, int64_t stride, int64_t left) {
    for (int c = 0; c < f->classes; c++) {
        channel_values x = {.input = logit_of(at, c)};
        activate(f->activation, 0, &x);
        store_mask(masks + c * stride, left, x.p > 0.5f);
    }
}

// The run without what is not looked at. Something must be there for targets, as blocks are filled up: of floats in
// their place those themselves, else a byte over and over.
static const uint8_t NO_TARGET = 0;

static run alone(const run *whole, run_layout *layout) {
    run r = *whole;
    r.target = CLOSS_LABELS_U8;
    r.targets = r.logits;
    r.mask = 0;
    r.weights = r.maps = r.gradient = 0;
    r.distance_maps = 0;
    if (!r.layout) return r;
    *layout = *r.layout;
    layout->targets = (buffer_layout){.linear = 1, .bytes = 1};
    r.layout = layout;
    r.targets = &NO_TARGET;
    return r;
}

static void prediction_masks(const formula *f, const run *whole, closs_prediction prediction, uint8_t *masks,
                             int64_t stride) {
    vf32 exponentials[f->activation == CLOSS_SOFTMAX ? f->classes : 1];
    run_layout layout;
    const run inputs = alone(whole, &layout);
    int64_t first = 0;
    FOR_EACH_BLOCK(&inputs, at, f->classes, {
        const int64_t left = whole->voxels - first;
        if (prediction == CLOSS_PREDICTION_LARGEST)
            largest_masks(&at, f->classes, masks + first, stride, left);
        else if (f->activation == CLOSS_SOFTMAX)
            softmax_masks(f, &at, exponentials, masks + first, stride, left);
        else
            channel_masks(f, &at, masks + first, stride, left);
        first += BLOCK_VOXELS;
    });
}

// ------------------------------------------------------------------------------------------------------ powers ----

// d^alpha of d^2, whose sign says on which side of the boundary it is.
LANES_INLINE vf32 side_power(const hausdorff_power *power, vf32 squared) {
    vf32 counted = power->sides == CLOSS_SIDES_INSIDE ? f32_keep(squared < 0, -squared) : f32_abs(squared);
    if (power->alpha == 2) return counted;
    if (power->alpha == 1) return __builtin_elementwise_sqrt(counted);
    vi32 some = counted > 0;
    return f32_keep(some, power_of(f32_select(some, counted, f32_splat(1)), f32_splat(power->half_alpha)));
}

LANES_INLINE vf32 combined(const hausdorff_power *power, const float *predicted, const float *map) {
    return (side_power(power, f32_load(predicted)) + side_power(power, f32_load(map))) * power->scale;
}

static void combine_sides(const hausdorff_power *power, const float *predicted, float *map, int64_t voxels) {
    int64_t i = 0;
    for (; i + LANES <= voxels; i += LANES) f32_store(map + i, combined(power, predicted + i, map + i));
    if (i == voxels) return;
    float last[2][LANES] = {{0}};
    const size_t bytes = (size_t)(voxels - i) * sizeof(float);
    memcpy(last[0], predicted + i, bytes);
    memcpy(last[1], map + i, bytes);
    f32_store(last[1], combined(power, last[0], last[1]));
    memcpy(map + i, last[1], bytes);
}

const hausdorff_kernels OF_ISA(hausdorff_kernels) = {prediction_masks, combine_sides};

#endif
