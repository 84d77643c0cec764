// The balanced term's search for the hardest negatives (arithmetic 8): positives and their loss, histograms of one
// digit of the negatives' keys, the loss of the negatives that are surely taken, and ties.
//
// Selecting on the logit's bits costs no logarithm for the values that are not taken; a vector with nothing to add to a
// loss is passed over.
#ifndef CLOSS_KERNELS_SELECT_H
#define CLOSS_KERNELS_SELECT_H

#include "kernels/channel.h"

typedef struct selection_values {
    vf32 input;
    vi32 positive, negative;
    vu32 key;
} selection_values;

// Lanes added one by one to a loss, each rounded by itself (8.3).
typedef struct lane_losses {
    u64x16 sum;
    int64_t additions;
} lane_losses;

LANES_INLINE void add_losses(lane_losses *losses, vi32 lanes, vf32 loss, vi32 *bad) {
    loss = f32_keep(lanes, loss);
    *bad |= ~(loss < LOSS_LIMIT);
    exact_add(&losses->sum, SIXTEEN(loss, 0), LOSS_ANCHOR);
    exact_add(&losses->sum, SIXTEEN(loss, 16), LOSS_ANCHOR);
    exact_add(&losses->sum, SIXTEEN(loss, 32), LOSS_ANCHOR);
    exact_add(&losses->sum, SIXTEEN(loss, 48), LOSS_ANCHOR);
    losses->additions += LANES / TREE_LANES;
}

// A lane's sum fits 64 bits, that of all lanes may not.
LANES_INLINE __int128 total_losses(const lane_losses *losses) {
    union {
        double value;
        uint64_t bits;
    } base = {.value = LOSS_ANCHOR};
    __int128 total = 0;
    for (int j = 0; j < TREE_LANES; j++) total += (int64_t)(losses->sum[j] - base.bits * (uint64_t)losses->additions);
    return total;
}

LANES_INLINE selection_values load_selection(const formula *f, const run *at, vi32 *bad) {
    channel_values x;
    x.input = f32_load(at->logits);
    load_target(f, at, &x, bad);
    return (selection_values){x.input, x.positive, x.valid & ~x.positive, key_of(x.input)};
}

LANES_INLINE vf32 loss_of(const formula *f, vf32 input, int positive) {
    channel_values x = {.input = input};
    activate(f->activation, &x);
    return positive ? x.n0 : x.n1;
}

// Counts the places of some lanes, one by one.
LANES_INLINE void count_places(vu32 places, vi32 lanes, uint32_t *histogram) {
    uint64_t set = i32_bits(lanes);
    if (!set) return;
    uint32_t each[LANES];
    memcpy(each, &places, sizeof each);
    for (; set; set &= set - 1) histogram[each[__builtin_ctzll(set)]]++;
}

LANES_INLINE void count_digits(const selection_digit *digit, vu32 key, vi32 lanes, uint32_t *histogram) {
    count_places((key >> digit->shift) & digit->digit_mask, lanes, histogram);
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

// Negatives that wait until there is a vector of them: where few of a block are taken, a loss for every lane is dear.
typedef struct waiting_negatives {
    float input[2 * LANES];
    int count;
} waiting_negatives;

LANES_INLINE void add_waiting(const formula *f, waiting_negatives *waiting, int count, selection_state *state) {
    vi32 lanes = lane_numbers() < count;
    vf32 input = f32_keep(lanes, f32_load(waiting->input));
    add_losses(&state->losses, lanes, loss_of(f, input, 0), &state->bad);
}

LANES_INLINE void wait_negatives(const formula *f, vf32 input, vi32 lanes, waiting_negatives *waiting,
                                 selection_state *state) {
    uint64_t set = i32_bits(lanes);
    if (!set) return;
    float each[LANES];
    f32_store(each, input);
    for (; set; set &= set - 1) waiting->input[waiting->count++] = each[__builtin_ctzll(set)];
    if (waiting->count < LANES) return;
    add_waiting(f, waiting, LANES, state);
    waiting->count -= LANES;
    memcpy(waiting->input, waiting->input + LANES, sizeof each);
}

typedef struct window_lanes {
    vi32 within, above;
    vu32 place;
} window_lanes;

LANES_INLINE window_lanes lanes_of_window(const selection_window *window, const selection_values *x) {
    vu32 place = (x->key - window->base) >> window->shift;
    vi32 from_base = x->negative & (x->key >= window->base) & (x->key <= window->top);
    vi32 below_end = place < window->bins;
    return (window_lanes){from_base & below_end, from_base & ~below_end, place};
}

// In a window's first sweep the positives are added up as well, and the input is checked.
LANES_INLINE void first_window_block(const formula *f, const run *at, const selection_window *window,
                                     uint32_t *histogram, vi32 *above, selection_state *state) {
    selection_values x = load_selection(f, at, &state->bad);
    window_lanes lanes = lanes_of_window(window, &x);
    count_places(lanes.place, lanes.within, histogram);
    *above -= lanes.above;
    start_sums(f, at, &x, state);
    vi32 taken = lanes.above | x.positive;
    if (!i32_any(taken)) return;
    channel_values values = {.input = x.input};
    activate(f->activation, &values);
    add_losses(&state->losses, taken, f32_select(x.positive, values.n0, values.n1), &state->bad);
}

LANES_INLINE void next_window_block(const formula *f, const run *at, const selection_window *window,
                                    uint32_t *histogram, waiting_negatives *waiting, selection_state *state) {
    selection_values x = load_selection(f, at, &state->bad);
    window_lanes lanes = lanes_of_window(window, &x);
    count_places(lanes.place, lanes.within, histogram);
    wait_negatives(f, x.input, lanes.above, waiting, state);
}

// Positives and negatives above the window go into one sum of losses.
static fault selection_in_window(const formula *f, const run *whole, const selection_window *window, int first,
                                 uint32_t *histogram, selection_sums *sums) {
    selection_state state = {0};
    vi32 above = {0};
    if (first) {
        FOR_EACH_BLOCK(whole, at, 1, first_window_block(f, &at, window, histogram, &above, &state));
    } else {
        waiting_negatives waiting = {.count = 0};
        FOR_EACH_BLOCK(whole, at, 1, next_window_block(f, &at, window, histogram, &waiting, &state));
        add_waiting(f, &waiting, waiting.count, &state);
    }
    if (i32_any(state.bad | ~(state.not_finite == 0))) return FAULT_FOUND;
    sums->above = count_total(above);
    sums->negative_loss = total_losses(&state.losses);
    return FAULT_NONE;
}

LANES_INLINE void ties_block(const formula *f, const run *at, uint32_t threshold, vi32 *ties) {
    vi32 unused = {0};
    selection_values x = load_selection(f, at, &unused);
    *ties -= x.negative & (x.key == threshold);
}

static int64_t selection_ties(const formula *f, const run *whole, uint32_t threshold) {
    vi32 ties = {0};
    FOR_EACH_BLOCK(whole, at, 1, ties_block(f, &at, threshold, &ties));
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

#endif
