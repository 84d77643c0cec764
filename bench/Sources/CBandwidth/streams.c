#include "streams.h"

static volatile uint64_t sink; /* what was read must seem to be of use */

static inline __attribute__((always_inline)) void copy_lines(cache_line *to, const cache_line *from, size_t lines) {
    for (size_t i = 0; i < lines; i += 4) {
        cache_line a = from[i], b = from[i + 1], c = from[i + 2], d = from[i + 3];
        __builtin_nontemporal_store(a, to + i);
        __builtin_nontemporal_store(b, to + i + 1);
        __builtin_nontemporal_store(c, to + i + 2);
        __builtin_nontemporal_store(d, to + i + 3);
    }
}

static inline __attribute__((always_inline)) void read_lines(const cache_line *from, size_t lines) {
    enum { ahead = 64 }; /* lines: one page */
    cache_line a = {0}, b = {0}, c = {0}, d = {0};
    for (size_t i = 0; i < lines; i += 4) {
        for (int k = 0; k < 4; k++) __builtin_prefetch(from + i + k + ahead, 0, 0);
        a ^= from[i], b ^= from[i + 1], c ^= from[i + 2], d ^= from[i + 3];
    }
    a ^= b ^ c ^ d;
    sink = a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7];
}

static inline __attribute__((always_inline)) void read_two_streams(const cache_line *from, size_t lines) {
    const cache_line *other = from + lines / 2;
    cache_line a = {0}, b = {0}, c = {0}, d = {0};
    for (size_t i = 0; i < lines / 2; i += 4) {
        a ^= from[i], b ^= from[i + 1], c ^= from[i + 2], d ^= from[i + 3];
        a ^= other[i], b ^= other[i + 1], c ^= other[i + 2], d ^= other[i + 3];
    }
    a ^= b ^ c ^ d;
    sink = a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7];
}

/* The same three loops, compiled for one instruction set. */
#define STREAMS(SUFFIX, TARGET)                                                                                       \
    TARGET static void copy_##SUFFIX(cache_line *to, const cache_line *from, size_t lines) {                          \
        copy_lines(to, from, lines);                                                                                  \
    }                                                                                                                 \
    TARGET static void read_##SUFFIX(cache_line *to, const cache_line *from, size_t lines) {                          \
        (void)to, read_lines(from, lines);                                                                            \
    }                                                                                                                 \
    TARGET static void read_two_##SUFFIX(cache_line *to, const cache_line *from, size_t lines) {                      \
        (void)to, read_two_streams(from, lines);                                                                      \
    }

STREAMS(baseline, )
#if defined(__x86_64__)
STREAMS(avx2, __attribute__((target("avx2"))))
STREAMS(avx512, __attribute__((target("avx512f"))))
#define BEST(NAME)                                                                                                    \
    __builtin_cpu_supports("avx512f") ? NAME##_avx512 : __builtin_cpu_supports("avx2") ? NAME##_avx2 : NAME##_baseline
#else
#define BEST(NAME) NAME##_baseline
#endif

stream *best_copy(void) { return BEST(copy); }
stream *best_read(void) { return BEST(read); }
stream *best_read_two_streams(void) { return BEST(read_two); }
