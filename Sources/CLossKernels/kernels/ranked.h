// The search for the largest losses (arithmetic 8.6, 8.7): histograms of one digit of the losses' keys, or of a window
// of them, the losses that are surely taken, ties, and the losses taken where these are not those that are ranked.
//
// No map of the losses is kept: each sweep computes them again, one copy of the walk for all that a sweep can be for.
// Beside a softmax a choice in each block costs nothing.
#ifndef CLOSS_KERNELS_RANKED_H
#define CLOSS_KERNELS_RANKED_H

#include "kernels/channel.h"
#include "kernels/histogram.h"
#include "kernels/ranked_value.h"
#include "kernels/softmax.h"

typedef enum ranking_sweep {
    RANKING_START,  // counts, adds up what is surely taken, and counts a first digit of the others
    RANKING_COUNT,  // counts the digit of the losses that share the prefix
    RANKING_ABOVE,  // ... and adds up those that are larger in it
    RANKING_WINDOW, // counts the losses of a window, and those above it
    RANKING_TIES,   // counts the losses that are equal to the threshold
    RANKING_TAKEN,  // adds up the ranked that are taken
    RANKING_SURELY  // as START, without a digit
} ranking_sweep;

typedef struct ranking {
    ranking_sweep sweep;
    selection_digit digit;
    selection_window window;
    window_edges edges;
    selection_sweep of_window;
    run_coefficients taken; // its threshold, and its tie end
    int64_t first;          // the number of the block's first voxel in the run
    uint32_t *histogram;
    lane_losses sure_losses, losses;
    vi32 sure, others, ties, bad;
    int64_t above;
    vf32 not_finite;
} ranking;

LANES_INLINE void rank_start(ranking *r, vf32 loss, vf32 own, vi32 sure, vi32 others) {
    r->sure -= sure;
    r->others -= others;
    r->bad |= (sure | others) & ~((loss < LOSS_LIMIT) & (own < LOSS_LIMIT));
    if (i32_any(sure)) add_losses(&r->sure_losses, sure, own, &r->bad);
    if (r->sweep == RANKING_START) count_digits(&r->digit, key_of(loss), others, r->histogram);
}

LANES_INLINE void rank_digit(ranking *r, vf32 loss, vi32 others) {
    vu32 prefix = key_of(loss) & r->digit.prefix_mask;
    count_digits(&r->digit, key_of(loss), others & (prefix == r->digit.prefix), r->histogram);
    vi32 above = others & (prefix > r->digit.prefix);
    if (r->sweep == RANKING_ABOVE && i32_any(above)) add_losses(&r->losses, above, loss, &r->bad);
}

LANES_INLINE void rank_window(ranking *r, vf32 loss, vi32 others) {
    vi32 past_end = loss >= r->edges.end;
    count_keys(&r->window, loss, i32_bits(others & (loss >= r->edges.base) & ~past_end), r->histogram);
    vi32 above = others & past_end;
    if (r->of_window.first) {
        r->bad |= others & ~(loss < LOSS_LIMIT);
        r->above += __builtin_popcountll(i32_bits(above));
    } else {
        above &= loss < r->edges.top;
    }
    if (r->of_window.losses && i32_any(above)) add_losses(&r->losses, above, loss, &r->bad);
}

LANES_INLINE void rank_taken(ranking *r, vf32 loss, vf32 own, vi32 others) {
    vi32 taken = others & taken_lanes(&r->taken, loss, r->first);
    if (i32_any(taken)) add_losses(&r->losses, taken, own, &r->bad);
    r->first += LANES;
}

// One block: what the losses that are taken surely, and the others, are to the sweep. `own` are the losses with class
// weights that stay out of the ranking, in a sweep that looks at them.
LANES_INLINE void rank_block(ranking *r, vf32 loss, vf32 own, vi32 sure, vi32 others) {
    switch (r->sweep) {
    case RANKING_START:
    case RANKING_SURELY: rank_start(r, loss, own, sure, others); break;
    case RANKING_COUNT:
    case RANKING_ABOVE: rank_digit(r, loss, others); break;
    case RANKING_WINDOW: rank_window(r, loss, others); break;
    case RANKING_TIES: r->ties -= others & (loss == r->taken.threshold); break;
    case RANKING_TAKEN: rank_taken(r, loss, own, others); break;
    }
}

LANES_INLINE int looks_at_own(const formula *f, const ranking *r) {
    return f->weighs_taken && (r->sweep == RANKING_START || r->sweep == RANKING_SURELY || r->sweep == RANKING_TAKEN);
}

LANES_INLINE void rank_softmax(const formula *f, int soft, const run *whole, ranking *r) {
    if (whole->voxels == 0) return;
    const softmax_kind kind = {
        .classes = f->classes, .wants = WANTS_POINTWISE, .mode = MODE_TOTALS, .soft = soft, .extras = 1};
    vf32 exponentials[kind.classes];
    softmax_block block = {.exponential = exponentials};
    FOR_EACH_BLOCK(whole, at, kind.classes, {
        block_labels labels =
            soft ? check_dense_targets(f, &at, &r->bad) : mixed_labels(decode_labels(f, &at, kind.classes, &r->bad));
        block.weight = decode_weights(&at, labels.valid, &r->bad);
        exponentiate(f, kind, &at, &labels, &block, &r->not_finite);
        vf32 loss = softmax_loss(&f->ranked, kind, &at, &labels, &block) * block.weight;
        vf32 own = looks_at_own(f, r) ? softmax_loss(&f->taken, kind, &at, &labels, &block) * block.weight : loss;
        vi32 sure = labels.valid & (loss > f->surely);
        rank_block(r, loss, own, sure, labels.valid & ~sure);
    });
}

LANES_INLINE void rank_channel(const formula *f, closs_activation activation, const run *whole, ranking *r) {
    FOR_EACH_BLOCK(whole, at, 1, {
        channel_values x;
        x.input = f32_load(at.logits);
        load_target(f, &at, &x, &r->bad);
        x.weight = decode_weights(&at, x.valid, &r->bad);
        r->not_finite = f32_fma(x.input, f32_splat(0), r->not_finite);
        if (activation == CLOSS_PROBABILITIES) r->bad |= ~((x.input >= 0) & (x.input <= 1)) & lanes_inside(&at);
        if (f->ranks == RANKS_ERRORS) {
            x.map = f32_load(at.maps);
            r->not_finite = f32_fma(x.map, f32_splat(0), r->not_finite);
            activate(activation, 0, &x);
            vi32 positive = x.valid & (x.map > 0);
            rank_block(r, ranked_error(&x), ranked_error(&x), positive, x.valid & ~positive);
        } else {
            activate(activation, 1, &x);
            vf32 loss = ranked_channel_loss(&f->ranked, &at, &x);
            vf32 own = looks_at_own(f, r) ? ranked_channel_loss(&f->taken, &at, &x) : loss;
            vi32 sure = x.valid & (loss > f->surely);
            rank_block(r, loss, own, sure, x.valid & ~sure);
        }
    });
}

static fault rank(const formula *f, const run *whole, ranking *r) {
    if (f->activation == CLOSS_PROBABILITIES)
        rank_channel(f, CLOSS_PROBABILITIES, whole, r);
    else if (f->activation == CLOSS_SIGMOID)
        rank_channel(f, CLOSS_SIGMOID, whole, r);
    else if (target_is_dense(whole->target))
        rank_softmax(f, 1, whole, r);
    else
        rank_softmax(f, 0, whole, r);
    return i32_any(r->bad | ~(r->not_finite == 0)) ? FAULT_FOUND : FAULT_NONE;
}

static fault start_ranking(const formula *f, const run *whole, ranking *r, selection_sums *sums) {
    if (rank(f, whole, r) != FAULT_NONE) return FAULT_FOUND;
    sums->positives = count_total(r->sure);
    sums->negatives = count_total(r->others);
    sums->positive_loss = total_losses(&r->sure_losses);
    return FAULT_NONE;
}

static fault ranked_start(const formula *f, const run *whole, const selection_digit *digit, uint32_t *histogram,
                          selection_sums *sums) {
    ranking r = {.sweep = RANKING_START, .digit = *digit, .histogram = histogram};
    return start_ranking(f, whole, &r, sums);
}

static void ranked_count(const formula *f, const run *whole, const selection_digit *digit, uint32_t *histogram) {
    ranking r = {.sweep = RANKING_COUNT, .digit = *digit, .histogram = histogram};
    rank(f, whole, &r);
}

static fault ranked_above(const formula *f, const run *whole, const selection_digit *digit, uint32_t *histogram,
                          selection_sums *sums) {
    ranking_sweep sweep = f->weighs_taken ? RANKING_COUNT : RANKING_ABOVE; // weighed losses are added up last
    ranking r = {.sweep = sweep, .digit = *digit, .histogram = histogram};
    fault found = rank(f, whole, &r);
    sums->negative_loss = total_losses(&r.losses);
    return found;
}

// How many values there are is known from the targets alone where none is taken for its loss.
static int64_t count_valid(const formula *f, const run *whole, vi32 *bad) {
    vi32 valid = {0};
    if (f->activation != CLOSS_SOFTMAX) {
        FOR_EACH_BLOCK(whole, at, 1, {
            channel_values x;
            load_target(f, &at, &x, bad);
            valid -= x.valid;
        });
    } else {
        FOR_EACH_BLOCK(whole, at, f->classes, {
            vi32 here = target_is_dense(at.target) ? check_dense_targets(f, &at, bad).valid
                                                   : decode_labels(f, &at, f->classes, bad) >= 0;
            valid -= here;
        });
    }
    return count_total(valid);
}

static fault ranked_targets(const formula *f, const run *whole, selection_sums *sums) {
    if (takes_surely(f)) {
        ranking r = {.sweep = RANKING_SURELY};
        return start_ranking(f, whole, &r, sums);
    }
    vi32 bad = {0};
    if (whole->voxels) sums->negatives = count_valid(f, whole, &bad);
    return i32_any(bad) ? FAULT_FOUND : FAULT_NONE;
}

static fault ranked_in_window(const formula *f, const run *whole, const selection_window *window, selection_sweep sweep,
                              uint32_t *histogram, selection_sums *sums) {
    ranking r = {.sweep = RANKING_WINDOW,
                 .window = *window,
                 .edges = edges_of(window),
                 .of_window = sweep,
                 .histogram = histogram};
    fault found = rank(f, whole, &r);
    sums->above = r.above;
    sums->negative_loss = total_losses(&r.losses);
    return found;
}

static int64_t ranked_ties(const formula *f, const run *whole, uint32_t threshold) {
    ranking r = {.sweep = RANKING_TIES, .taken.threshold = float_of_key(threshold)};
    rank(f, whole, &r);
    return count_total(r.ties);
}

static fault ranked_taken(const formula *f, const run *whole, uint32_t threshold, int64_t tie_end,
                          selection_sums *sums) {
    ranking r = {.sweep = RANKING_TAKEN, .taken.threshold = float_of_key(threshold), .taken.tie_end = tie_end};
    fault found = rank(f, whole, &r);
    sums->negative_loss = total_losses(&r.losses);
    return found;
}

static fault ranked_check(const formula *f, const run *whole) {
    ranking r = {.sweep = RANKING_SURELY};
    return rank(f, whole, &r);
}

// A key is the loss itself.
static int64_t ranked_loss(const formula *f, uint32_t key) {
    (void)f;
    lane_losses losses = {0};
    vi32 bad = {0};
    add_losses(&losses, lane_numbers() == 0, f32_splat(float_of_key(key)), &bad);
    return (int64_t)total_losses(&losses);
}

#define RANKED_WALKS                                                                                                   \
    {ranked_start, ranked_count, ranked_above, ranked_targets, ranked_in_window,                                       \
     ranked_ties,  ranked_taken, ranked_loss,  ranked_check}

#endif
