// Totals: exact integers in two words, value = high * 2^32 + low (arithmetic 6.4).
//
// Both words are signed and only their sum counts, so totals are merged by adding words, in any order, by threads,
// micro-batches or an all-reduce; the low word has room for 2^30 additions.
#ifndef CLOSS_SUMS_WIDE_H
#define CLOSS_SUMS_WIDE_H

#include <stdint.h>

enum { WIDE_WORDS = 2 };

static const int PROBABILITY_QUANTUM = -48; // exponents of two
static const int LOSS_QUANTUM = -32;
static const int REST_QUANTUM = -80; // of what rounding to LOSS_QUANTUM leaves, where that is kept
static const int COUNT_QUANTUM = 0;

// Adds to words that other threads add to.
static inline void wide_add_shared(int64_t *words, __int128 value) {
    __atomic_fetch_add(&words[0], (int64_t)(value >> 32), __ATOMIC_RELAXED);
    __atomic_fetch_add(&words[1], (int64_t)(value & 0xffffffff), __ATOMIC_RELAXED);
}

static inline void word_add_shared(int64_t *word, int64_t value) { __atomic_fetch_add(word, value, __ATOMIC_RELAXED); }

static inline __int128 wide_value(const int64_t *words) { return (__int128)words[0] * ((__int128)1 << 32) + words[1]; }

// The nearest Double of value * 2^quantum.
static inline double wide_double(__int128 value, int quantum) {
    return (double)value * (quantum == -48 ? 0x1p-48 : quantum == -32 ? 0x1p-32 : quantum == -80 ? 0x1p-80 : 1);
}

// An integer as a total of the given quantum.
static inline __int128 wide_from_count(int64_t count, int quantum) { return (__int128)count << -quantum; }

#endif
