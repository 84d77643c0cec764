/* Integer random numbers, the same everywhere. */
#ifndef CORPUS_RANDOM_H
#define CORPUS_RANDOM_H

#include <stdint.h>

typedef struct random_numbers {
    uint64_t state;
} random_numbers;

/* SplitMix64 */
static inline uint64_t next(random_numbers *r) {
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline int64_t below(random_numbers *r, int64_t bound) { return (int64_t)(next(r) % (uint64_t)bound); }

static inline int one_in(random_numbers *r, int64_t n) { return below(r, n) == 0; }

#endif
