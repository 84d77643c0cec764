// DBNet's two maps in one walk: the differentiable binarization and its Dice loss, the probability map's own loss and
// the threshold map's L1 (arithmetic 10).
//
// Every value goes through the very operations that the walks of single terms have, in their order: the bits are those
// of three walks over the same maps.
#ifndef CLOSS_KERNELS_BINARIZATION_H
#define CLOSS_KERNELS_BINARIZATION_H

#include <string.h>

#include "kernels/balanced.h"
#include "kernels/channel.h"

// ------------------------------------------------------------------------------------------------- one vector ----

// One vector of each map. A map's `g` is what it should be: the text, or the threshold map.
typedef struct binarized_block {
    channel_values map, threshold;
    channel_values binary; // `input` is k (P - T)
} binarized_block;

LANES_INLINE vi32 lanes_left_by(vi32 inside, const uint8_t *mask) {
    return mask ? inside & (load_bytes(mask) != 0) : inside;
}

// What a map's derivative is multiplied by.
LANES_INLINE vf32 slope_of(int logits, const channel_values *x, vf32 derivative) {
    return logits ? f32_fma(x->p * x->q, derivative, f32_splat(0)) : derivative;
}

LANES_INLINE void load_text(const binarization_run *at, channel_values *x) {
    if (at->target == CLOSS_DENSE_F32) {
        x->g = f32_keep(x->valid, f32_load((const float *)at->targets));
        x->positive = x->g == 1;
    } else {
        x->positive = x->valid & (load_bytes(at->targets) == 1);
        x->g = f32_keep(x->positive, f32_splat(1));
    }
}

LANES_INLINE void load_binarized(const binarization_run *at, int logits, binarized_block *x) {
    const closs_activation activation = logits ? CLOSS_SIGMOID : CLOSS_PROBABILITIES;
    vi32 inside = lane_numbers() < (int32_t)at->voxels;
    x->map.input = f32_load(at->map);
    x->threshold.input = f32_load(at->threshold);
    activate(activation, 0, &x->map);
    activate(activation, 0, &x->threshold);
    x->map.valid = lanes_left_by(inside, at->mask);
    x->threshold.valid = lanes_left_by(inside, at->threshold_mask);
    load_text(at, &x->map);
    x->threshold.g = f32_keep(x->threshold.valid, f32_load(at->threshold_map));
    x->threshold.positive = x->threshold.valid & (x->threshold.g == 1);
    x->binary.input = f32_splat(at->steepness) * (x->map.p - x->threshold.p);
    activate(CLOSS_SIGMOID, 0, &x->binary);
}

// ------------------------------------------------------------------------------------------------- last blocks ----

// The last voxels of a sample, filled up to a block with what does not count.
typedef struct binarization_padding {
    float map[BLOCK_VOXELS], threshold[BLOCK_VOXELS], target[BLOCK_VOXELS], threshold_map[BLOCK_VOXELS];
    float map_gradient[BLOCK_VOXELS], threshold_gradient[BLOCK_VOXELS];
    uint8_t mask[BLOCK_VOXELS], threshold_mask[BLOCK_VOXELS];
} binarization_padding;

LANES_INLINE binarization_run binarization_from(const binarization_run *whole, int64_t offset) {
    binarization_run at = *whole;
    at.map += offset;
    at.threshold += offset;
    at.targets = (const char *)whole->targets + (size_t)offset * target_bytes(whole->target);
    if (at.mask) at.mask += offset;
    at.threshold_map += offset;
    if (at.threshold_mask) at.threshold_mask += offset;
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
    at.threshold_map = memcpy(pad->threshold_map, rest->threshold_map, bytes);
    if (rest->mask) at.mask = memcpy(pad->mask, rest->mask, voxels);
    if (rest->threshold_mask) at.threshold_mask = memcpy(pad->threshold_mask, rest->threshold_mask, voxels);
    if (rest->store == STORE_STREAMING) at.store = STORE_PLAIN;
    if (!rest->map_gradient) return at;
    at.map_gradient = memcpy(pad->map_gradient, rest->map_gradient, bytes);
    at.threshold_gradient = memcpy(pad->threshold_gradient, rest->threshold_gradient, bytes);
    return at;
}

static void binarization_copy_back(const binarization_run *rest, const binarization_padding *pad) {
    size_t bytes = (size_t)rest->voxels * sizeof(float);
    memcpy(rest->map_gradient, pad->map_gradient, bytes);
    memcpy(rest->threshold_gradient, pad->threshold_gradient, bytes);
}

// Walks a run block by block as `at`, whose voxels are those that count.
#define FOR_EACH_BINARIZED(whole, at, ...)                                                                             \
    for (int64_t offset_ = 0; offset_ < (whole)->voxels; offset_ += BLOCK_VOXELS) {                                    \
        binarization_padding pad_;                                                                                     \
        binarization_run rest_ = binarization_from(whole, offset_);                                                    \
        const int last_ = rest_.voxels < BLOCK_VOXELS;                                                                 \
        binarization_run at = last_ ? binarization_padded(&rest_, &pad_) : rest_;                                      \
        __VA_ARGS__;                                                                                                   \
        if (last_ && rest_.map_gradient) binarization_copy_back(&rest_, &pad_);                                        \
    }

// ----------------------------------------------------------------------------------------------------- totals ----

typedef struct binarization_state {
    u64x16 product, binary, target;      // of the binary map, and of both
    u64x16 map_product, map_probability; // of the probability map
    u64x16 error;
    vi32 positives, valid, threshold_valid, bad;
    vu8 largest_label;
    vf32 not_finite;
    int64_t blocks;
} binarization_state;

LANES_INLINE void check_map(const binarization_run *at, int logits, vf32 input, binarization_state *state) {
    if (logits)
        state->not_finite = f32_fma(input, f32_splat(0), state->not_finite);
    else
        state->bad |= ~((input >= 0) & (input <= 1)) & (lane_numbers() < (int32_t)at->voxels);
}

// The largest byte so far of those that the mask leaves; past the end of a run they are 0.
LANES_INLINE vu8 largest_counted(const binarization_run *at, vu8 largest) {
    vu8 labels = *(const vu8_anywhere *)at->targets;
    if (at->mask) labels &= (vu8)(*(const vu8_anywhere *)at->mask != 0);
    return __builtin_elementwise_max(labels, largest);
}

LANES_INLINE void check_targets(const binarization_run *at, const binarized_block *x, binarization_state *state) {
    vf32 wanted = x->threshold.g;
    state->bad |= ~((wanted >= 0) & (wanted <= 1));
    if (at->target != CLOSS_DENSE_F32)
        state->largest_label = largest_counted(at, state->largest_label);
    else if (at->balanced)
        state->bad |= ~((x->map.g == 0) | (x->map.g == 1));
    else
        state->bad |= ~((x->map.g >= 0) & (x->map.g <= 1));
}

// Targets of 0 and 1 are counted.
LANES_INLINE int sums_targets(const binarization_run *at) { return at->target == CLOSS_DENSE_F32 && !at->balanced; }

LANES_INLINE void total_binarized(const binarization_run *at, int logits, binarization_state *state) {
    binarized_block x;
    load_binarized(at, logits, &x);
    check_map(at, logits, x.map.input, state);
    check_map(at, logits, x.threshold.input, state);
    check_targets(at, &x, state);
    vf32 b = f32_keep(x.map.valid, x.binary.p), p = f32_keep(x.map.valid, x.map.p);
    exact_add(&state->product, block_tree(b * x.map.g), PROBABILITY_ANCHOR);
    exact_add(&state->binary, block_tree(b), PROBABILITY_ANCHOR);
    if (!at->balanced) {
        exact_add(&state->map_product, block_tree(p * x.map.g), PROBABILITY_ANCHOR);
        exact_add(&state->map_probability, block_tree(p), PROBABILITY_ANCHOR);
    }
    if (sums_targets(at))
        exact_add(&state->target, block_tree(x.map.g), PROBABILITY_ANCHOR);
    else
        state->positives -= x.map.positive;
    vf32 error = error_loss(at->error, x.threshold.p, channel_difference(&x.threshold), f32_splat(0));
    exact_add(&state->error, block_tree(f32_keep(x.threshold.valid, error)), LOSS_ANCHOR);
    state->valid -= x.map.valid;
    state->threshold_valid -= x.threshold.valid;
    state->blocks++;
}

static fault binarization_totals(const binarization_run *whole, binarization_sums *out) {
    const binarization_run copy = *whole;
    binarization_state state = {0};
    if (copy.logits) {
        FOR_EACH_BINARIZED(&copy, at, total_binarized(&at, 1, &state));
    } else {
        FOR_EACH_BINARIZED(&copy, at, total_binarized(&at, 0, &state));
    }
    if (i32_any(state.bad | ~(state.not_finite == 0)) || any_byte_beyond(state.largest_label, 2)) return FAULT_FOUND;
    out->product = exact_total(state.product, PROBABILITY_ANCHOR, state.blocks);
    out->binary = exact_total(state.binary, PROBABILITY_ANCHOR, state.blocks);
    out->positives = count_total(state.positives);
    out->negatives = count_total(state.valid) - out->positives;
    out->target = sums_targets(whole) ? exact_total(state.target, PROBABILITY_ANCHOR, state.blocks)
                                      : out->positives << 48; // a quantum is 2^-48
    out->threshold_valid = count_total(state.threshold_valid);
    out->error = exact_total(state.error, LOSS_ANCHOR, state.blocks);
    if (whole->balanced) return FAULT_NONE;
    out->map_product = exact_total(state.map_product, PROBABILITY_ANCHOR, state.blocks);
    out->map_probability = exact_total(state.map_probability, PROBABILITY_ANCHOR, state.blocks);
    return FAULT_NONE;
}

// --------------------------------------------------------------------------------------------------- gradient ----

typedef struct binarization_losses {
    lane_losses balanced;
    vi32 unused; // what could be bad was looked at before
} binarization_losses;

// Of the balanced term. Where a block has none of the values that take part, there is nothing to compute.
LANES_INLINE vf32 balanced_map_slope(int logits, const binarization_coefficients *k, const channel_values *x,
                                     int64_t first, binarization_losses *losses) {
    vi32 lanes = balanced_lanes(&k->map, x, first);
    if (!i32_any(lanes)) return f32_splat(0);
    vf32 loss = balanced_loss(logits ? CLOSS_SIGMOID : CLOSS_PROBABILITIES, x->input, x->positive);
    add_losses(&losses->balanced, lanes, loss, &losses->unused);
    vf32 slope = f32_fma(f32_splat(k->map.balanced), binary_slope(1, x, 1), f32_splat(0));
    slope = f32_keep(lanes, slope);
    return logits ? slope : slope / f32_larger(x->p * x->q, f32_splat(1e-12f));
}

LANES_INLINE vf32 dice_map_slope(int logits, const binarization_coefficients *k, const channel_values *x) {
    vf32 z = between_targets(k->map_target, k->map_other, x->g);
    return f32_keep(x->valid, slope_of(logits, x, z));
}

LANES_INLINE vf32 error_map_slope(const binarization_run *at, int logits, const binarization_coefficients *k,
                                  const channel_values *x) {
    vf32 derivative = error_slope(at->error, channel_difference(x), f32_splat(0));
    vf32 z = f32_fma(f32_splat(k->error), derivative, f32_splat(0));
    return f32_keep(x->valid, slope_of(logits, x, z));
}

// The slope of the map's own loss, then that of the binary map's (10.3).
LANES_INLINE void store_map_gradient(float *to, vf32 own, vf32 binary, gradient_store store) {
    if (store == STORE_ADD) own = f32_load(to) + own;
    vf32 value = own + binary;
    if (store == STORE_STREAMING)
        __builtin_nontemporal_store(value, (vf32_lines *)to);
    else
        f32_store(to, value);
}

LANES_INLINE void write_binarized(const binarization_run *at, int logits, const binarization_coefficients *k,
                                  int64_t first, binarization_losses *losses) {
    binarized_block x;
    load_binarized(at, logits, &x);
    vf32 map = at->balanced ? balanced_map_slope(logits, k, &x.map, first, losses) : dice_map_slope(logits, k, &x.map);
    vf32 threshold = error_map_slope(at, logits, k, &x.threshold);
    vf32 q = f32_fma(f32_splat(k->binary_target), x.map.g, f32_splat(k->binary_constant));
    vf32 h = (f32_splat(at->steepness) * (x.binary.p * x.binary.q)) * q;
    vf32 by_map = logits ? h * (x.map.p * x.map.q) : h;
    vf32 by_threshold = logits ? h * (x.threshold.p * x.threshold.q) : h;
    store_map_gradient(at->map_gradient, map, f32_keep(x.map.valid, by_map), at->store);
    store_map_gradient(at->threshold_gradient, threshold, -f32_keep(x.map.valid, by_threshold), at->store);
}

static __int128 binarization_gradient(const binarization_run *whole, const binarization_coefficients *k) {
    const binarization_run copy = *whole;
    const binarization_coefficients coefficients = *k;
    binarization_losses losses = {0};
    int64_t first = 0;
    if (copy.logits) {
        FOR_EACH_BINARIZED(&copy, at, {
            write_binarized(&at, 1, &coefficients, first, &losses);
            first += BLOCK_VOXELS;
        });
    } else {
        FOR_EACH_BINARIZED(&copy, at, {
            write_binarized(&at, 0, &coefficients, first, &losses);
            first += BLOCK_VOXELS;
        });
    }
    // Streaming stores are ordered with nothing; whoever is told that the gradient is there must see it.
    if (copy.store == STORE_STREAMING) __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return total_losses(&losses.balanced);
}

#endif
