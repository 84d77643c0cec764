// Elements of 16 bits, to floats and back, side by side or of a block; and floats as they are.
#ifndef CLOSS_KERNELS_CONVERSIONS_H
#define CLOSS_KERNELS_CONVERSIONS_H

#include <string.h>

#include "kernels/exact.h"
#include "kernels/formula.h"

typedef VECTOR(uint16_t, TREE_LANES) u16x16;
typedef VECTOR(uint32_t, TREE_LANES) u32x16;
typedef VECTOR(float, 4) f32x4;
typedef ANYWHERE(u16x16) u16x16_anywhere;
typedef ANYWHERE(f32x16) f32x16_anywhere;
typedef ANYWHERE(f32x4) f32x4_anywhere;
typedef VECTOR(float, 8) f32x8;
typedef ANYWHERE(f32x8) f32x8_anywhere;
typedef f32x16 f32x16_line __attribute__((aligned(64)));
typedef VECTOR(uint16_t, 2 * TREE_LANES) u16x32;
typedef u16x32 u16x32_line __attribute__((aligned(64)));

#if CLOSS_HAS_HALF

typedef VECTOR(_Float16, TREE_LANES) f16x16;

LANES_INLINE f32x16 float_of_half(u16x16 half) { return __builtin_convertvector((f16x16)half, f32x16); }

LANES_INLINE u16x16 half_of_float(f32x16 value) { return (u16x16) __builtin_convertvector(value, f16x16); }

#else

// Shifted into place a half is a float whose exponent is 112 too small; the product puts that right, of subnormals too.
LANES_INLINE f32x16 float_of_half(u16x16 half) {
    u32x16 bits = __builtin_convertvector(half, u32x16), magnitude = (bits & 0x7fff) << 13;
    u32x16 scaled = (u32x16)((f32x16)magnitude * 0x1p+112f);
    u32x16 special = (u32x16)(magnitude >= 0x0f800000);
    return (f32x16)(scaled | (special & 0x7f800000) | (bits & 0x8000) << 16);
}

// Normal halves are rounded in the integers, subnormal ones by adding 1/2, whose last place is theirs.
LANES_INLINE u16x16 half_of_float(f32x16 value) {
    u32x16 bits = (u32x16)value, magnitude = bits & 0x7fffffff;
    u32x16 normal = (magnitude + 0xfff + ((magnitude >> 13) & 1) - 0x38000000) >> 13;
    normal = __builtin_elementwise_min(normal, (u32x16){} + 0x7c00);
    u32x16 subnormal = (u32x16)((f32x16)magnitude + 0.5f) - 0x3f000000;
    u32x16 is_small = (u32x16)(magnitude < 0x38800000), is_nan = (u32x16)(magnitude > 0x7f800000);
    u32x16 half = (is_small & subnormal) | (~is_small & normal);
    half = (is_nan & 0x7e00) | (~is_nan & half);
    return __builtin_convertvector(half | ((bits >> 16) & 0x8000), u16x16);
}

#endif

LANES_INLINE f32x16 float_of_bfloat(u16x16 upper) { return (f32x16)(__builtin_convertvector(upper, u32x16) << 16); }

LANES_INLINE u16x16 bfloat_of_float(f32x16 value) {
    u32x16 bits = (u32x16)value, rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    u32x16 is_nan = (u32x16)((bits & 0x7fffffff) > 0x7f800000);
    return __builtin_convertvector((is_nan & (bits >> 16 | 0x40)) | (~is_nan & rounded), u16x16);
}

// Of anything but a NaN.
LANES_INLINE u16x16 bfloat_of_number(f32x16 value) {
    u32x16 bits = (u32x16)value;
    return __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, u16x16);
}

LANES_INLINE f32x16 widened(u16x16 from, closs_float type) {
    return type == CLOSS_FLOAT16 ? float_of_half(from) : float_of_bfloat(from);
}

LANES_INLINE u16x16 narrowed_to(f32x16 from, closs_float type) {
    return type == CLOSS_FLOAT16 ? half_of_float(from) : bfloat_of_float(from);
}

// A block's elements, wherever they are, as floats.
LANES_INLINE vf32 load_floats(const void *from, closs_float type) {
    if (type == CLOSS_FLOAT32) return f32_load(from);
    vu16 narrow = *(const vu16_anywhere *)from;
    vf32 wide;
    u16x16 parts[LANES / TREE_LANES];
    f32x16 floats[LANES / TREE_LANES];
    memcpy(parts, &narrow, sizeof parts);
    if (type == CLOSS_FLOAT16)
        for (int i = 0; i < LANES / TREE_LANES; i++) floats[i] = float_of_half(parts[i]);
    else
        for (int i = 0; i < LANES / TREE_LANES; i++) floats[i] = float_of_bfloat(parts[i]);
    memcpy(&wide, floats, sizeof wide);
    return wide;
}

// `numbers`: there is no NaN among them.
LANES_INLINE vu16 narrowed_block(vf32 value, closs_float type, int numbers) {
    vu16 narrow;
    u16x16 parts[LANES / TREE_LANES];
    f32x16 floats[LANES / TREE_LANES];
    memcpy(floats, &value, sizeof floats);
    if (type == CLOSS_FLOAT16)
        for (int i = 0; i < LANES / TREE_LANES; i++) parts[i] = half_of_float(floats[i]);
    else if (numbers)
        for (int i = 0; i < LANES / TREE_LANES; i++) parts[i] = bfloat_of_number(floats[i]);
    else
        for (int i = 0; i < LANES / TREE_LANES; i++) parts[i] = bfloat_of_float(floats[i]);
    memcpy(&narrow, parts, sizeof narrow);
    return narrow;
}

LANES_INLINE void widen_as(float *to, const uint16_t *from, closs_float type, int64_t count) {
    int64_t i = 0;
    for (; i + TREE_LANES <= count; i += TREE_LANES)
        *(f32x16_anywhere *)(to + i) = widened(*(const u16x16_anywhere *)(from + i), type);
    if (i == count) return;
    u16x16 last = {0};
    memcpy(&last, from + i, (size_t)(count - i) * sizeof *from);
    f32x16 values = widened(last, type);
    memcpy(to + i, &values, (size_t)(count - i) * sizeof *to);
}

// Elements side by side, as floats.
static inline void widen(float *to, const void *from, closs_float type, int64_t count) {
    if (type == CLOSS_FLOAT16)
        widen_as(to, from, CLOSS_FLOAT16, count);
    else if (type == CLOSS_BFLOAT16)
        widen_as(to, from, CLOSS_BFLOAT16, count);
    else
        memcpy(to, from, (size_t)count * sizeof *to);
}

LANES_INLINE void narrow_some(uint16_t *to, closs_float type, const float *from, int64_t count) {
    int64_t i = 0;
    for (; i + TREE_LANES <= count; i += TREE_LANES)
        *(u16x16_anywhere *)(to + i) = narrowed_to(*(const f32x16_anywhere *)(from + i), type);
    if (i == count) return;
    f32x16 last = {0};
    memcpy(&last, from + i, (size_t)(count - i) * sizeof *from);
    u16x16 values = narrowed_to(last, type);
    memcpy(to + i, &values, (size_t)(count - i) * sizeof *to);
}

// Elements before the next cache line begins.
LANES_INLINE int64_t to_next_line(const void *at, size_t element, int64_t count) {
    int64_t before = (int64_t)((64 - (uintptr_t)at % 64) % 64 / element);
    return before < count ? before : count;
}

LANES_INLINE void narrow_as(uint16_t *to, closs_float type, const float *from, int64_t count, int streaming) {
    int64_t i = 0;
    if (streaming && (uintptr_t)to % sizeof *to == 0) {
        i = to_next_line(to, sizeof *to, count);
        narrow_some(to, type, from, i);
        for (; i + 2 * TREE_LANES <= count; i += 2 * TREE_LANES) {
            u16x16 low = narrowed_to(*(const f32x16_anywhere *)(from + i), type);
            u16x16 high = narrowed_to(*(const f32x16_anywhere *)(from + i + TREE_LANES), type);
            u16x32 line = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
                                                  17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
            __builtin_nontemporal_store(line, (u16x32_line *)(to + i));
        }
    }
    narrow_some(to + i, type, from + i, count - i);
}

static inline void copy_floats(float *to, const float *from, int64_t count, int streaming) {
    int64_t i = 0;
    if (streaming && (uintptr_t)to % sizeof *to == 0) {
        i = to_next_line(to, sizeof *to, count);
        memcpy(to, from, (size_t)i * sizeof *to);
        for (; i + TREE_LANES <= count; i += TREE_LANES)
            __builtin_nontemporal_store(*(const f32x16_anywhere *)(from + i), (f32x16_line *)(to + i));
    }
    memcpy(to + i, from + i, (size_t)(count - i) * sizeof *to);
}

// Floats as elements side by side, each rounded once; streaming, whole cache lines go past the cache.
static inline void narrow(void *to, closs_float type, const float *from, int64_t count, int streaming) {
    if (type == CLOSS_FLOAT16)
        narrow_as(to, CLOSS_FLOAT16, from, count, streaming);
    else if (type == CLOSS_BFLOAT16)
        narrow_as(to, CLOSS_BFLOAT16, from, count, streaming);
    else
        copy_floats(to, from, count, streaming);
}

#endif
