// The balanced term's search for the hardest negatives (arithmetic 8): positives and their loss, histograms of one
// digit of the negatives' keys, the loss of the negatives that are surely taken, and ties.
//
// Selecting on the logit's bits costs no logarithm for the values that are not taken; a vector with nothing to add to a
// loss is passed over.
#ifndef CLOSS_KERNELS_SELECT_H
#define CLOSS_KERNELS_SELECT_H

#include "kernels/balanced.h"
#include "kernels/channel.h"
#include "kernels/histogram.h"

typedef struct selection_values {
    vf32 input;
    vi32 positive, negative;
    vu32 key;
} selection_values;

LANES_INLINE selection_values load_selection(const formula *f, const run *at, vi32 *bad) {
    channel_values x;
    x.input = f32_load(at->logits);
    load_target(f, at, &x, bad);
    return (selection_values){x.input, x.positive, x.valid & ~x.positive, key_of(x.input)};
}

LANES_INLINE vf32 loss_of(const formula *f, vf32 input, int positive) {
    channel_values x = {.input = input};
    activate(f->activation, 1, &x);
    return positive ? x.n0 : x.n1;
}

LANES_INLINE vi32 at_prefix(const selection_digit *digit, const selection_values *x) {
    return x->negative & ((x->key & digit->prefix_mask) == digit->prefix);
}

LANES_INLINE vi32 above_prefix(const selection_digit *digit, const selection_values *x) {
    return x->negative & ((x->key & digit->prefix_mask) > digit->prefix);
}

typedef struct selection_state {
    lane_losses losses;
    vi32 positives, negatives, bad;
    vf32 not_finite;
} selection_state;

// Counts positives and negatives by the targets alone.
static fault selection_targets(const formula *f, const run *whole, selection_sums *sums) {
    vi32 positives = {0}, negatives = {0}, bad = {0};
    FOR_EACH_BLOCK(whole, at, 1, {
        channel_values x;
        load_target(f, &at, &x, &bad);
        positives -= x.positive;
        negatives -= x.valid & ~x.positive;
    });
    sums->positives = count_total(positives);
    sums->negatives = count_total(negatives);
    return i32_any(bad) ? FAULT_FOUND : FAULT_NONE;
}

// What a first look at a block counts and checks.
LANES_INLINE void start_sums(const formula *f, const run *at, const selection_values *x, selection_state *state) {
    state->not_finite = f32_fma(x->input, f32_splat(0), state->not_finite);
    if (f->activation == CLOSS_PROBABILITIES) state->bad |= ~((x->input >= 0) & (x->input <= 1)) & lanes_inside(at);
    state->positives -= x->positive;
    state->negatives -= x->negative;
    // The loss of a negative is known to be below the limit only if the logit is; the search itself computes none.
    state->bad |= x->negative & (x->input >= LOSS_LIMIT);
}

LANES_INLINE void start_block(const formula *f, const run *at, const selection_digit *digit, uint32_t *histogram,
                              selection_state *state) {
    selection_values x = load_selection(f, at, &state->bad);
    start_sums(f, at, &x, state);
    if (i32_any(x.positive)) add_losses(&state->losses, x.positive, loss_of(f, x.input, 1), &state->bad);
    count_digits(digit, x.key, x.negative, histogram);
}

static fault selection_start(const formula *f, const run *whole, const selection_digit *digit, uint32_t *histogram,
                             selection_sums *sums) {
    selection_state state = {0};
    FOR_EACH_BLOCK(whole, at, 1, start_block(f, &at, digit, histogram, &state));
    if (i32_any(state.bad | ~(state.not_finite == 0))) return FAULT_FOUND;
    sums->positives = count_total(state.positives);
    sums->negatives = count_total(state.negatives);
    sums->positive_loss = total_losses(&state.losses);
    return FAULT_NONE;
}

LANES_INLINE void count_block(const formula *f, const run *at, const selection_digit *digit, uint32_t *histogram) {
    vi32 unused = {0};
    selection_values x = load_selection(f, at, &unused);
    count_digits(digit, x.key, at_prefix(digit, &x), histogram);
}

static void selection_count(const formula *f, const run *whole, const selection_digit *digit, uint32_t *histogram) {
    FOR_EACH_BLOCK(whole, at, 1, count_block(f, &at, digit, histogram));
}

LANES_INLINE void above_block(const formula *f, const run *at, const selection_digit *digit, uint32_t *histogram,
                              selection_state *state) {
    selection_values x = load_selection(f, at, &state->bad);
    count_digits(digit, x.key, at_prefix(digit, &x), histogram);
    vi32 lanes = above_prefix(digit, &x);
    if (i32_any(lanes)) add_losses(&state->losses, lanes, loss_of(f, x.input, 0), &state->bad);
}

static fault selection_above(const formula *f, const run *whole, const selection_digit *digit, uint32_t *histogram,
                             selection_sums *sums) {
    selection_state state = {0};
    FOR_EACH_BLOCK(whole, at, 1, above_block(f, &at, digit, histogram, &state));
    sums->negative_loss = total_losses(&state.losses);
    return i32_any(state.bad) ? FAULT_FOUND : FAULT_NONE;
}

// A block's values, and its positives and negatives as sets of bits.
typedef struct selection_sets {
    vf32 input;
    uint64_t positive, negative;
} selection_sets;

typedef struct window_state {
    lane_losses losses;
    int64_t above;
    vi32 bad;
    vu8 largest_label; // of bytes
    vf32 not_finite;
} window_state;

LANES_INLINE selection_sets load_sets(const formula *f, const run *at, int simple, window_state *state) {
    selection_sets sets = {.input = f32_load(at->logits)};
    if (simple) {
        vu8 labels = *(const vu8_anywhere *)at->targets;
        vu8 counted = at->mask ? (vu8)(*(const vu8_anywhere *)at->mask != 0) : (vu8){} - 1;
        state->largest_label = __builtin_elementwise_max(labels & counted, state->largest_label);
        sets.positive = byte_bits((vu8)(labels == (uint8_t)positive_label(f, at)) & counted);
        sets.negative = ~sets.positive & byte_bits(counted);
    } else {
        channel_values x;
        load_target(f, at, &x, &state->bad);
        sets.positive = i32_bits(x.positive);
        sets.negative = i32_bits(x.valid & ~x.positive);
    }
    return sets;
}

// Losses that would be too large show in the logits; large logits are rare.
LANES_INLINE void check_window_input(const formula *f, const run *at, const selection_sets *x, window_state *state) {
    state->not_finite = f32_fma(x->input, f32_splat(0), state->not_finite);
    if (f->activation == CLOSS_PROBABILITIES) {
        state->bad |= ~((x->input >= 0) & (x->input <= 1)) & lanes_inside(at);
    } else if (i32_any(f32_abs(x->input) >= LOSS_LIMIT)) {
        state->bad |= i32_mask(x->negative) & (x->input >= LOSS_LIMIT);
        state->bad |= i32_mask(x->positive) & (x->input <= -LOSS_LIMIT);
    }
}

LANES_INLINE void window_block(const formula *f, const run *at, int simple, const selection_window *w,
                               window_edges edges, selection_sweep sweep, uint32_t *histogram, window_state *state) {
    vf32 input = f32_load(at->logits);
    uint64_t past_end = i32_bits(input >= edges.end), within = i32_bits(input >= edges.base) & ~past_end;
    if (!sweep.first && !sweep.losses && !within) return; // few blocks hold a key of a fine window
    selection_sets x = load_sets(f, at, simple, state);
    count_keys(w, x.input, x.negative & within, histogram);
    uint64_t above = x.negative & past_end;
    if (sweep.first) {
        check_window_input(f, at, &x, state);
        state->above += __builtin_popcountll(above);
    } else {
        above &= i32_bits(x.input < edges.top);
    }
    uint64_t lossy = sweep.first ? above | x.positive : above;
    if (!sweep.losses || !lossy) return;
    vf32 loss = balanced_loss(f->activation, x.input, i32_mask(x.positive));
    add_losses(&state->losses, i32_mask(lossy), loss, &state->bad);
}

LANES_INLINE void window_blocks(const formula *f, const run *whole, const selection_window *w, selection_sweep sweep,
                                uint32_t *histogram, window_state *state) {
    const window_edges edges = edges_of(w);
    const selection_window window = *w;
    const run copy = *whole;
    int64_t offset = 0;
    run without_mask = copy;
    without_mask.mask = 0;
    if (is_simple(&without_mask) && !f->has_ignore_index) {
        for (; offset + BLOCK_VOXELS <= copy.voxels; offset += BLOCK_VOXELS) {
            run at = simple_block(&copy, offset);
            if (copy.mask) at.mask = copy.mask + offset;
            prefetch_ahead(&at);
            window_block(f, &at, 1, &window, edges, sweep, histogram, state);
        }
        if (any_byte_beyond(state->largest_label, label_count(f, whole))) state->bad = i32_splat(-1);
    }
    run rest = run_from(whole, offset);
    FOR_EACH_BLOCK(&rest, at, 1, window_block(f, &at, 0, &window, edges, sweep, histogram, state));
}

// Positives and negatives above the window go into one sum of losses.
static fault selection_in_window(const formula *f, const run *whole, const selection_window *window,
                                 selection_sweep sweep, uint32_t *histogram, selection_sums *sums) {
    window_state state = {0};
    if (sweep.losses)
        window_blocks(f, whole, window, (selection_sweep){sweep.first, 1}, histogram, &state);
    else if (sweep.first)
        window_blocks(f, whole, window, (selection_sweep){1, 0}, histogram, &state);
    else
        window_blocks(f, whole, window, (selection_sweep){0, 0}, histogram, &state);
    if (i32_any(state.bad | ~(state.not_finite == 0))) return FAULT_FOUND;
    sums->above = state.above;
    sums->negative_loss = total_losses(&state.losses);
    return FAULT_NONE;
}

// Ties are rare: where there is none in a block, its targets are not read.
static int64_t selection_ties(const formula *f, const run *whole, uint32_t threshold) {
    const float value = float_of_key(threshold);
    vi32 ties = {0}, unused = {0};
    FOR_EACH_BLOCK(whole, at, 1, {
        prefetch_ahead(&at);
        vi32 tied = f32_load(at.logits) == value;
        if (i32_any(tied)) {
            channel_values x;
            load_target(f, &at, &x, &unused);
            ties -= tied & x.valid & ~x.positive;
        }
    });
    return count_total(ties);
}

// The loss of a negative with this key, in quanta.
static int64_t negative_loss(const formula *f, uint32_t key) {
    lane_losses losses = {0};
    vi32 bad = {0};
    vi32 first = lane_numbers() == 0;
    add_losses(&losses, first, loss_of(f, value_of_key((vu32){} + key), 0), &bad);
    return (int64_t)total_losses(&losses);
}

// A negative's loss is below the limit where its logit is: a slower look finds those.
static fault selection_check(const formula *f, const run *whole) {
    (void)f;
    (void)whole;
    return FAULT_NONE;
}

static const selection_walks logit_walks = {
    selection_start, selection_count, selection_above, selection_targets, selection_in_window, selection_ties, 0,
    negative_loss,   selection_check};

#endif
