// The steps of a Lovasz term's ranking (arithmetic 8.8): the errors of a run, and a stable sort of the errors of one
// problem, in which each of several chunks counts and moves its own records.
//
// A value stands for its error by one float: the error itself at the background, its negative at the foreground. A 0 of
// either sign has no place in the order; values that do not count are +0.
#ifndef CLOSS_KERNELS_LOVASZ_JOB_H
#define CLOSS_KERNELS_LOVASZ_JOB_H

#include "kernels/formula.h"

// An error's bits make three digits; the sign is left out.
enum { LOVASZ_DIGITS = 3, LOVASZ_DIGIT_BITS = 10, LOVASZ_BINS = 2048 };

static inline int lovasz_shift(int digit) { return digit * LOVASZ_DIGIT_BITS; }

static inline uint32_t lovasz_mask(int digit) {
    return digit == LOVASZ_DIGITS - 1 ? LOVASZ_BINS - 1 : (1u << LOVASZ_DIGIT_BITS) - 1;
}

// A record of the sort: the error's bits above, the value's number below, and in the lowest bit the foreground.
typedef uint64_t lovasz_record;

// A loss: quanta of 2^-48, and what rounding to these leaves in quanta of 2^-80; of the power of two above the largest
// error.
typedef struct lovasz_total {
    int64_t quanta, rest;
} lovasz_total;

typedef struct lovasz_chunk {
    uint32_t bins[LOVASZ_DIGITS][LOVASZ_BINS]; // how many records have each digit; then where the next one goes
    int64_t items;                             // values whose error is not 0
    int64_t foreground;
    lovasz_total loss;
} lovasz_chunk;

// Where a stretch of sorted records stands in its problem.
typedef struct lovasz_stretch {
    const lovasz_record *records;
    int64_t count;
    int64_t rank;         // of its first record
    int64_t foreground;   // F
    int64_t before;       // foreground records before it
    double inverse_scale; // 1 / s
    float *slopes;        // of the problem; NULL: not wanted
} lovasz_stretch;

typedef struct lovasz_kernels {
    // Writes the errors of a run; `class_stride` lies between a softmax's classes. Rows are filled up to whole blocks.
    fault (*errors)(const formula *, const run *, float *into, int64_t class_stride);
    // Counts all digits of some values, and the values.
    void (*count)(const float *values, int64_t count, lovasz_chunk *);
    // Makes records of some values, the first of which has that number, and moves them to their digit's places.
    void (*start)(const float *values, int64_t first, int64_t count, int digit, uint32_t *places, lovasz_record *to);
    void (*recount)(const lovasz_record *, int64_t count, int digit, uint32_t *bins);
    void (*move)(const lovasz_record *, int64_t count, int digit, uint32_t *places, lovasz_record *to);
    int64_t (*foreground)(const lovasz_record *, int64_t count);
    // Gives back the stretch's share of the loss, and writes its slopes.
    lovasz_total (*scan)(const lovasz_stretch *);
} lovasz_kernels;

extern const lovasz_kernels lovasz_kernels_generic;
#if defined(__x86_64__)
extern const lovasz_kernels lovasz_kernels_avx2, lovasz_kernels_avx512;
#endif

#endif
