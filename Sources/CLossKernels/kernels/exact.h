// Exact sums of lanes (arithmetic 6.1 and 6.2): the four sixteens of a block are added as a tree in float, and each
// lane of the tree is rounded once to a multiple of a quantum and added as an integer.
//
// The rounding is a Double addition: next to 1.5 * 2^52 quanta the spacing of Doubles is the quantum, and the low bits
// of the result are the integer. Subtracting the bits of the big number is put off until the lanes are added up; it is
// exact modulo 2^64, and so is everything else.
#ifndef CLOSS_KERNELS_EXACT_H
#define CLOSS_KERNELS_EXACT_H

#include "kernels/lanes.h"

static const double PROBABILITY_ANCHOR = 0x1.8p+4; // quantum 2^-48; exact for |t| < 2^3
static const double LOSS_ANCHOR = 0x1.8p+20;       // quantum 2^-32; exact for |t| < 2^19
static const double REST_ANCHOR = 0x1.8p-28;       // quantum 2^-80; of what the quantum 2^-32 leaves
static const float LOSS_LIMIT = 0x1p+19f;

// The lanes of a tree, in which sums are defined.
enum { TREE_LANES = 16 };

typedef VECTOR(float, TREE_LANES) f32x16;
typedef VECTOR(int32_t, TREE_LANES) i32x16;
typedef VECTOR(double, TREE_LANES) f64x16;
typedef VECTOR(uint64_t, TREE_LANES) u64x16;

#define SIXTEEN(v, from)                                                                                               \
    __builtin_shufflevector(v, v, (from), (from) + 1, (from) + 2, (from) + 3, (from) + 4, (from) + 5, (from) + 6,      \
                            (from) + 7, (from) + 8, (from) + 9, (from) + 10, (from) + 11, (from) + 12, (from) + 13,    \
                            (from) + 14, (from) + 15)

LANES_INLINE f32x16 block_tree(vf32 v) { return (SIXTEEN(v, 0) + SIXTEEN(v, 16)) + (SIXTEEN(v, 32) + SIXTEEN(v, 48)); }

LANES_INLINE u64x16 exact_quanta(f32x16 t, double anchor) {
    return (u64x16)(__builtin_convertvector(t, f64x16) + anchor);
}

LANES_INLINE void exact_add(u64x16 *sum, f32x16 t, double anchor) { *sum += exact_quanta(t, anchor); }

// The sum of all lanes after `additions` calls of exact_add.
LANES_INLINE int64_t exact_total(u64x16 sum, double anchor, int64_t additions) {
    union {
        double value;
        uint64_t bits;
    } base = {.value = anchor};
    uint64_t total = __builtin_reduce_add(sum);
    return (int64_t)(total - base.bits * (uint64_t)(additions * TREE_LANES));
}

// A lane counts at most the blocks of a run: their sum fits 32 bits.
LANES_INLINE int64_t count_total(vi32 counts) { return __builtin_reduce_add(counts); }

// Set in the lanes whose loss or weight would leave the exact range, or is NaN.
LANES_INLINE i32x16 beyond_limit(f32x16 t) { return ~(t < LOSS_LIMIT); }

LANES_INLINE int any_beyond(i32x16 mask) { return __builtin_reduce_or(mask) != 0; }

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

// A block's losses or weights; `beyond` collects the lanes of trees outside the exact range.
LANES_INLINE void add_limited(u64x16 *sum, vf32 values, i32x16 *beyond) {
    f32x16 t = block_tree(values);
    *beyond |= beyond_limit(t);
    exact_add(sum, t, LOSS_ANCHOR);
}

// The same of values that may be negative.
LANES_INLINE void add_limited_signed(u64x16 *sum, vf32 values, i32x16 *beyond) {
    f32x16 t = block_tree(values);
    *beyond |= beyond_limit(t) | beyond_limit(-t);
    exact_add(sum, t, LOSS_ANCHOR);
}

// The same, with what the rounding of each lane leaves (arithmetic 6.2): a double holds that exactly.
LANES_INLINE void add_limited_with_rest(u64x16 *sum, u64x16 *rest, vf32 values, i32x16 *beyond) {
    add_limited_signed(sum, values, beyond);
    f64x16 t = __builtin_convertvector(block_tree(values), f64x16), rounded = (t + LOSS_ANCHOR) - LOSS_ANCHOR;
    *rest += (u64x16)((t - rounded) + REST_ANCHOR);
}

#endif
