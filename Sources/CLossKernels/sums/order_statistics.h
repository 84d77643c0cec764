// The k-th smallest of numbers that are kept in two lists, by three digits of their bits: no list is changed.
#ifndef CLOSS_SUMS_ORDER_STATISTICS_H
#define CLOSS_SUMS_ORDER_STATISTICS_H

#include <stdint.h>
#include <string.h>

// Floats that are not negative, whose bits are in the order of their values. One of the lists may be empty.
typedef struct number_lists {
    const float *values[2];
    int64_t count[2];
} number_lists;

static inline int64_t lists_count(const number_lists *lists) { return lists->count[0] + lists->count[1]; }

static inline uint32_t number_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// Counts the numbers whose bits above the digit are the prefix's, by digit.
static inline void count_digits(const number_lists *lists, uint32_t prefix, uint32_t prefix_mask, int shift,
                                int64_t *counts) {
    for (int list = 0; list < 2; list++)
        for (int64_t i = 0; i < lists->count[list]; i++) {
            uint32_t bits = number_bits(lists->values[list][i]);
            if ((bits & prefix_mask) == prefix) counts[(bits & ~prefix_mask) >> shift]++;
        }
}

// The number with `rank` others before it in ascending order; 0 <= rank < lists_count.
static inline float kth_smallest(const number_lists *lists, int64_t rank) {
    static const int shifts[3] = {21, 10, 0};
    uint32_t prefix = 0, prefix_mask = 0;
    for (int pass = 0; pass < 3; pass++) {
        int64_t counts[2048] = {0};
        count_digits(lists, prefix, prefix_mask, shifts[pass], counts);
        uint32_t digit = 0;
        while (rank >= counts[digit]) rank -= counts[digit++];
        prefix |= digit << shifts[pass];
        prefix_mask = UINT32_MAX << shifts[pass];
    }
    float value;
    memcpy(&value, &prefix, sizeof value);
    return value;
}

// The number that follows `value`, which has `rank` others before it, in ascending order: an equal one or the least
// that is larger.
static inline float next_smallest(const number_lists *lists, float value, int64_t rank) {
    int64_t up_to = 0;
    float larger = 0;
    int found = 0;
    for (int list = 0; list < 2; list++)
        for (int64_t i = 0; i < lists->count[list]; i++) {
            float here = lists->values[list][i];
            up_to += here <= value;
            if (here > value && (!found || here < larger)) larger = here, found = 1;
        }
    return up_to > rank + 1 || !found ? value : larger;
}

#endif
