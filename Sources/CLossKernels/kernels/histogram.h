// Histograms of keys, by a digit or in a window (arithmetic 8.1).
#ifndef CLOSS_KERNELS_HISTOGRAM_H
#define CLOSS_KERNELS_HISTOGRAM_H

#include "kernels/formula.h"
#include "kernels/key.h"
#include "kernels/order.h"

// Counts the places of some lanes, one by one.
LANES_INLINE void count_places(vu32 places, vi32 lanes, uint32_t *histogram) {
    uint64_t set = i32_bits(lanes);
    if (!set) return;
    uint32_t each[LANES];
    __builtin_memcpy(each, &places, sizeof each);
    for (; set; set &= set - 1) histogram[each[__builtin_ctzll(set)]]++;
}

LANES_INLINE void count_digits(const selection_digit *digit, vu32 key, vi32 lanes, uint32_t *histogram) {
    count_places((key >> digit->shift) & digit->digit_mask, lanes, histogram);
}

// A window by the floats that its edges are, so that a vector needs no keys.
typedef struct window_edges {
    float base, end, top;
} window_edges;

LANES_INLINE window_edges edges_of(const selection_window *w) {
    uint64_t end = (uint64_t)w->base + ((uint64_t)w->bins << w->shift);
    return (window_edges){float_from_key(w->base), float_from_key(end), float_from_key((uint64_t)w->top + 1)};
}

LANES_INLINE void count_keys(const selection_window *w, vf32 input, uint64_t set, uint32_t *histogram) {
    if (!set) return;
    float each[LANES];
    f32_store(each, input);
    for (; set; set &= set - 1) histogram[(key_of_float(each[__builtin_ctzll(set)]) - w->base) >> w->shift]++;
}

#endif
