// Exact sums of lanes (arithmetic 6.1 and 6.2): four vectors of a block are added as a tree in float, and each lane of
// the tree is rounded once to a multiple of a quantum and added as an integer.
//
// The rounding is a Double addition: next to 1.5 * 2^52 quanta the spacing of Doubles is the quantum, and the low bits of
// the result are the integer. Subtracting the bits of the big number is put off until the lanes are added up; it is
// exact modulo 2^64, and so is everything else.
#ifndef CLOSS_KERNELS_EXACT_H
#define CLOSS_KERNELS_EXACT_H

#include "kernels/lanes.h"

static const double PROBABILITY_ANCHOR = 0x1.8p+4; // quantum 2^-48; exact for |t| < 2^3
static const double LOSS_ANCHOR = 0x1.8p+20;       // quantum 2^-32; exact for |t| < 2^19
static const float LOSS_LIMIT = 0x1p+19f;

LANES_INLINE f32x16 block_tree(const f32x16 v[4]) { return (v[0] + v[1]) + (v[2] + v[3]); }

LANES_INLINE void exact_add(u64x16 *sum, f32x16 t, double anchor) {
    *sum += (u64x16)(__builtin_convertvector(t, f64x16) + anchor);
}

// The sum of all lanes after `additions` calls of exact_add.
LANES_INLINE int64_t exact_total(u64x16 sum, double anchor, int64_t additions) {
    union {
        double value;
        uint64_t bits;
    } base = {.value = anchor};
    uint64_t total = __builtin_reduce_add(sum);
    return (int64_t)(total - base.bits * (uint64_t)(additions * LANES));
}

LANES_INLINE int64_t count_total(i32x16 counts) {
    return __builtin_reduce_add(__builtin_convertvector(counts, i64x16));
}

// Set in the lanes whose loss or weight would leave the exact range, or is NaN.
LANES_INLINE i32x16 beyond_limit(f32x16 t) { return ~(t < LOSS_LIMIT); }

#endif
