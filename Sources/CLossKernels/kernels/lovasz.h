// Errors of a run, and the sort and scan of a problem's errors (arithmetic 8.8).
#ifndef CLOSS_KERNELS_LOVASZ_H
#define CLOSS_KERNELS_LOVASZ_H

#include "kernels/channel.h"
#include "kernels/lovasz_job.h"
#include "kernels/softmax.h"

// ----------------------------------------------------------------------------------------------------- errors ----

// What a look at a run found that must be refused.
typedef struct lovasz_look {
    vi32 bad;
    vf32 not_finite;
} lovasz_look;

static fault fault_of(const lovasz_look *look) {
    return i32_any(look->bad | ~(look->not_finite == 0)) ? FAULT_FOUND : FAULT_NONE;
}

LANES_INLINE void softmax_errors(const formula *f, int soft, const run *whole, float *into, int64_t class_stride,
                                 lovasz_look *look) {
    const softmax_kind kind = {
        .classes = f->classes, .wants = WANTS_POINTWISE, .mode = MODE_TOTALS, .soft = soft, .extras = 1};
    vf32 exponentials[kind.classes];
    softmax_block block = {.exponential = exponentials};
    FOR_EACH_BLOCK(whole, at, kind.classes, {
        block_labels labels = soft ? check_dense_targets(f, &at, &look->bad)
                                   : mixed_labels(decode_labels(f, &at, kind.classes, &look->bad));
        block.weight = decode_weights(&at, labels.valid, &look->bad);
        exponentiate(f, kind, &at, &labels, &block, &look->not_finite);
        for (int c = 0; c < kind.classes; c++) {
            // Where the voxel does not count, p and g are +0, and so is the difference.
            vf32 d = class_difference(kind, &at, &labels, &block, c, probability_of(&block, c));
            f32_store(into + c * class_stride, lovasz_takes(f, c) ? d : f32_splat(0));
        }
        into += BLOCK_VOXELS;
    });
}

// A probability of -0 must not pass for a foreground error of 0.
LANES_INLINE vf32 channel_error(const formula *f, const channel_values *x) {
    vf32 one = f32_splat(1), zero = f32_splat(0), foreground = x->q, background = f32_larger(x->p, zero);
    if (f->lovasz == LOVASZ_HINGE) {
        foreground = f32_larger(one - x->input, zero);
        background = f32_larger(one + x->input, zero);
    }
    return f32_keep(x->valid, f32_select(x->positive, -foreground, background));
}

LANES_INLINE void channel_errors(const formula *f, closs_activation activation, const run *whole, float *into,
                                 lovasz_look *look) {
    const int takes = lovasz_takes(f, whole->channel);
    FOR_EACH_BLOCK(whole, at, 1, {
        channel_values x;
        x.input = f32_load(at.logits);
        load_target(f, &at, &x, &look->bad);
        x.weight = decode_weights(&at, x.valid, &look->bad);
        look->not_finite = f32_fma(x.input, f32_splat(0), look->not_finite);
        if (activation == CLOSS_PROBABILITIES) look->bad |= ~((x.input >= 0) & (x.input <= 1)) & lanes_inside(&at);
        if (f->lovasz != LOVASZ_HINGE) activate(activation, 0, &x);
        f32_store(into, takes ? channel_error(f, &x) : f32_splat(0));
        into += BLOCK_VOXELS;
    });
}

static fault lovasz_errors_of(const formula *f, const run *whole, float *into, int64_t class_stride) {
    lovasz_look look = {0};
    if (f->activation == CLOSS_PROBABILITIES)
        channel_errors(f, CLOSS_PROBABILITIES, whole, into, &look);
    else if (f->activation == CLOSS_SIGMOID)
        channel_errors(f, CLOSS_SIGMOID, whole, into, &look);
    else if (target_is_dense(whole->target))
        softmax_errors(f, 1, whole, into, class_stride, &look);
    else
        softmax_errors(f, 0, whole, into, class_stride, &look);
    return fault_of(&look);
}

// ------------------------------------------------------------------------------------------------------- sort ----

LANES_INLINE uint32_t bits_at(const float *value) {
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    return bits;
}

// Zeros are counted among the others, and taken out again: a branch for each value would cost more.
static void lovasz_count(const float *values, int64_t count, lovasz_chunk *chunk) {
    uint32_t *low = chunk->bins[0], *middle = chunk->bins[1], *high = chunk->bins[2];
    int64_t zeros = 0, foreground = 0;
    memset(chunk->bins, 0, sizeof chunk->bins);
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = bits_at(values + i), key = bits & 0x7fffffff;
        foreground += bits >> 31;
        zeros += key == 0;
        low[key & lovasz_mask(0)]++;
        middle[key >> lovasz_shift(1) & lovasz_mask(1)]++;
        high[key >> lovasz_shift(2)]++;
    }
    low[0] -= (uint32_t)zeros;
    middle[0] -= (uint32_t)zeros;
    high[0] -= (uint32_t)zeros;
    chunk->items = count - zeros;
    chunk->foreground = foreground;
}

static void lovasz_start(const float *values, int64_t first, int64_t count, int digit, uint32_t *places,
                         lovasz_record *to) {
    const int shift = lovasz_shift(digit);
    const uint32_t mask = lovasz_mask(digit);
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = bits_at(values + i), key = bits & 0x7fffffff;
        if (key == 0) continue;
        to[places[key >> shift & mask]++] = (uint64_t)key << 32 | (uint64_t)(first + i) << 1 | bits >> 31;
    }
}

static void lovasz_recount(const lovasz_record *records, int64_t count, int digit, uint32_t *bins) {
    const int shift = 32 + lovasz_shift(digit);
    const uint32_t mask = lovasz_mask(digit);
    memset(bins, 0, LOVASZ_BINS * sizeof *bins);
    for (int64_t i = 0; i < count; i++) bins[records[i] >> shift & mask]++;
}

static void lovasz_move(const lovasz_record *records, int64_t count, int digit, uint32_t *places, lovasz_record *to) {
    const int shift = 32 + lovasz_shift(digit);
    const uint32_t mask = lovasz_mask(digit);
    for (int64_t i = 0; i < count; i++) to[places[records[i] >> shift & mask]++] = records[i];
}

// ------------------------------------------------------------------------------------------------------- scan ----

static int64_t lovasz_foreground(const lovasz_record *records, int64_t count) {
    int64_t foreground = 0;
    for (int64_t i = 0; i < count; i++) foreground += (int64_t)(records[i] & 1);
    return foreground;
}

// A block of records taken apart.
typedef struct lovasz_block {
    vu32 key, number;
    vi32 foreground, before; // a mask; foreground records before this one
} lovasz_block;

// How many of the flags before each one are set; of all, in *count. A multiplication counts eight.
LANES_INLINE vi32 flags_before(vu32 flags, int32_t *count) {
    const uint64_t each = 0x0101010101010101;
    vu8 bytes = __builtin_convertvector(flags, vu8);
    uint64_t eight[LANES / 8], before = 0;
    memcpy(eight, &bytes, sizeof eight);
    for (int k = 0; k < LANES / 8; k++) {
        uint64_t with = eight[k] * each;
        eight[k] = before * each + (with << 8);
        before += with >> 56;
    }
    memcpy(&bytes, eight, sizeof eight);
    *count = (int32_t)before;
    return __builtin_convertvector(bytes, vi32);
}

// Past the end, errors of 0.
LANES_INLINE vu64 load_records(const lovasz_record *records, int64_t count) {
    if (count == LANES) return *(const vu64_anywhere *)records;
    vu64 filled = {0};
    memcpy(&filled, records, (size_t)count * sizeof *records);
    return filled;
}

LANES_INLINE lovasz_block take_records_apart(vu64 records, int32_t *before) {
    vu32 low = __builtin_convertvector(records, vu32);
    int32_t count;
    vi32 in_block = flags_before(low & 1, &count);
    lovasz_block block = {.key = __builtin_convertvector(records >> 32, vu32),
                          .number = low >> 1,
                          .foreground = -(vi32)(low & 1),
                          .before = *before + in_block};
    *before += count;
    return block;
}

// (e / s) j, each exact in Double: one large error may leave the many small ones nothing but what is rounded off.
LANES_INLINE void add_products(f32x16 error, f32x16 slope, double inverse_scale, u64x16 *sum, u64x16 *rest) {
    f64x16 product = __builtin_convertvector(error, f64x16) * inverse_scale * __builtin_convertvector(slope, f64x16);
    f64x16 anchored = product + PROBABILITY_ANCHOR;
    *sum += (u64x16)anchored;
    *rest += (u64x16)((product - (anchored - PROBABILITY_ANCHOR)) + REST_ANCHOR);
}

// J_k - J_k-1 of each record of a block whose first has that rank (arithmetic 8.8.2).
LANES_INLINE vf32 increments(const lovasz_block *block, int32_t rank, int32_t foreground) {
    vi32 all = foreground + (rank + lane_numbers() - block->before);
    vf32 left = __builtin_convertvector(foreground - block->before, vf32);
    vf32 here = __builtin_convertvector(all, vf32), next = __builtin_convertvector(all + 1, vf32);
    return f32_select(block->foreground, f32_splat(1), left) / f32_select(block->foreground, here, here * next);
}

LANES_INLINE void store_slopes(const lovasz_block *block, vf32 increment, int64_t count, float *slopes) {
    float slope[LANES];
    uint32_t number[LANES];
    f32_store(slope, f32_select(block->foreground, -increment, increment));
    memcpy(number, &block->number, sizeof number);
    for (int64_t j = 0; j < count; j++) slopes[number[j]] = slope[j];
}

static lovasz_total lovasz_scan(const lovasz_stretch *s) {
    u64x16 sum = {0}, rest = {0};
    int64_t additions = 0;
    int32_t before = (int32_t)s->before;
    for (int64_t i = 0; i < s->count; i += LANES) {
        int64_t here = s->count - i < LANES ? s->count - i : LANES;
        lovasz_block block = take_records_apart(load_records(s->records + i, here), &before);
        vf32 slope = increments(&block, (int32_t)(s->rank + i), (int32_t)s->foreground);
        vf32 error = f32_from_bits((vi32)block.key);
        add_products(SIXTEEN(error, 0), SIXTEEN(slope, 0), s->inverse_scale, &sum, &rest);
        add_products(SIXTEEN(error, 16), SIXTEEN(slope, 16), s->inverse_scale, &sum, &rest);
        add_products(SIXTEEN(error, 32), SIXTEEN(slope, 32), s->inverse_scale, &sum, &rest);
        add_products(SIXTEEN(error, 48), SIXTEEN(slope, 48), s->inverse_scale, &sum, &rest);
        additions += LANES / TREE_LANES;
        if (s->slopes) store_slopes(&block, slope, here, s->slopes);
    }
    return (lovasz_total){exact_total(sum, PROBABILITY_ANCHOR, additions), exact_total(rest, REST_ANCHOR, additions)};
}

#define LOVASZ_KERNELS                                                                                                 \
    {lovasz_errors_of, lovasz_count, lovasz_start, lovasz_recount, lovasz_move, lovasz_foreground, lovasz_scan}

#endif
