// Buffers that do not lie as the kernels read them (arithmetic 11): a piece of a run is copied into planar floats, the
// kernels walk that, and its gradient is copied back. Only what the view holds is read and written.
#ifndef CLOSS_KERNELS_STAGE_H
#define CLOSS_KERNELS_STAGE_H

#include <string.h>

#include "kernels/exact.h"
#include "kernels/formula.h"

typedef VECTOR(uint16_t, TREE_LANES) u16x16;
typedef VECTOR(uint32_t, TREE_LANES) u32x16;
typedef VECTOR(float, 4) f32x4;
typedef ANYWHERE(u16x16) u16x16_anywhere;
typedef ANYWHERE(f32x16) f32x16_anywhere;
typedef ANYWHERE(f32x4) f32x4_anywhere;
typedef f32x16 f32x16_line __attribute__((aligned(64)));
typedef VECTOR(uint16_t, 2 * TREE_LANES) u16x32;
typedef u16x32 u16x32_line __attribute__((aligned(64)));

// ------------------------------------------------------------------------------------------------ conversions ----

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

// ---------------------------------------------------------------------------------------------- transposition ----

// Four fours as one vector.
LANES_INLINE f32x16 four_quads(const float *a, const float *b, const float *c, const float *d) {
    f32x4 p = *(const f32x4_anywhere *)a, q = *(const f32x4_anywhere *)b;
    f32x4 r = *(const f32x4_anywhere *)c, s = *(const f32x4_anywhere *)d;
    VECTOR(float, 8) low = __builtin_shufflevector(p, q, 0, 1, 2, 3, 4, 5, 6, 7);
    VECTOR(float, 8) high = __builtin_shufflevector(r, s, 0, 1, 2, 3, 4, 5, 6, 7);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

// In each four lanes, the first (or last) two of `a` and of `b` in turn.
#define LOW_PAIRS(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define HIGH_PAIRS(a, b) __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
// In each four lanes, the first (or last) two of `a`, then those of `b`.
#define LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define HIGH_HALVES(a, b) __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)

// The first (or last) eight of `a`, then those of `b`.
#define LOW_EIGHTS(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define HIGH_EIGHTS(a, b) __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)

// Four matrices of 4 x 4 side by side, transposed; its own inverse.
LANES_INLINE void transpose_quads(f32x16 v[4]) {
    f32x16 low_01 = LOW_PAIRS(v[0], v[1]), high_01 = HIGH_PAIRS(v[0], v[1]);
    f32x16 low_23 = LOW_PAIRS(v[2], v[3]), high_23 = HIGH_PAIRS(v[2], v[3]);
    v[0] = LOW_HALVES(low_01, low_23);
    v[1] = HIGH_HALVES(low_01, low_23);
    v[2] = LOW_HALVES(high_01, high_23);
    v[3] = HIGH_HALVES(high_01, high_23);
}

// 16 voxels whose classes stand side by side, `step` apart, become rows of classes. The last four classes are taken
// together, however many of them were taken before.
LANES_INLINE void spread_sixteen(float *to, int64_t row, const float *from, int64_t step, int classes) {
    for (int next = 0; next < classes; next += 4) {
        int c = next + 4 <= classes ? next : classes - 4;
        f32x16 v[4];
        for (int i = 0; i < 4; i++) {
            const float *at = from + i * step + c;
            v[i] = four_quads(at, at + 4 * step, at + 8 * step, at + 12 * step);
        }
        transpose_quads(v);
        for (int i = 0; i < 4; i++) *(f32x16_anywhere *)(to + (c + i) * row) = v[i];
    }
}

LANES_INLINE void join_sixteen(float *to, const float *from, int64_t row, int classes) {
    for (int next = 0; next < classes; next += 4) {
        int c = next + 4 <= classes ? next : classes - 4;
        f32x16 v[4];
        for (int i = 0; i < 4; i++) v[i] = *(const f32x16_anywhere *)(from + (c + i) * row);
        transpose_quads(v);
        for (int i = 0; i < 4; i++) {
            float *at = to + i * classes + c;
            *(f32x4_anywhere *)at = __builtin_shufflevector(v[i], v[i], 0, 1, 2, 3);
            *(f32x4_anywhere *)(at + 4 * classes) = __builtin_shufflevector(v[i], v[i], 4, 5, 6, 7);
            *(f32x4_anywhere *)(at + 8 * classes) = __builtin_shufflevector(v[i], v[i], 8, 9, 10, 11);
            *(f32x4_anywhere *)(at + 12 * classes) = __builtin_shufflevector(v[i], v[i], 12, 13, 14, 15);
        }
    }
}

LANES_INLINE void spread_few(float *to, int64_t row, const float *from, int64_t step, int classes, int64_t voxels) {
    for (int64_t v = 0; v < voxels; v++)
        for (int c = 0; c < classes; c++) to[c * row + v] = from[v * step + c];
}

LANES_INLINE void join_few(float *to, const float *from, int64_t row, int classes, int64_t voxels) {
    for (int64_t v = 0; v < voxels; v++)
        for (int c = 0; c < classes; c++) to[v * classes + c] = from[c * row + v];
}

#if CLOSS_HAS_WIDE_SHUFFLES

// The same for four classes side by side and nothing between the voxels: eight shuffles of two whole vectors.
LANES_INLINE void spread_fours(float *to, int64_t row, const float *from) {
    f32x16 v[4], early[2], late[2];
    for (int i = 0; i < 4; i++) v[i] = *(const f32x16_anywhere *)(from + i * TREE_LANES);
    for (int i = 0; i < 2; i++) {
        early[i] =
            __builtin_shufflevector(v[2 * i], v[2 * i + 1], 0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
        late[i] =
            __builtin_shufflevector(v[2 * i], v[2 * i + 1], 2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31);
    }
    *(f32x16_anywhere *)to = LOW_EIGHTS(early[0], early[1]);
    *(f32x16_anywhere *)(to + row) = HIGH_EIGHTS(early[0], early[1]);
    *(f32x16_anywhere *)(to + 2 * row) = LOW_EIGHTS(late[0], late[1]);
    *(f32x16_anywhere *)(to + 3 * row) = HIGH_EIGHTS(late[0], late[1]);
}

LANES_INLINE void join_fours(float *to, const float *from, int64_t row, int streaming) {
    f32x16 v[4], early[2], late[2];
    for (int i = 0; i < 4; i++) v[i] = *(const f32x16_anywhere *)(from + i * row);
    early[0] = LOW_EIGHTS(v[0], v[1]), early[1] = HIGH_EIGHTS(v[0], v[1]);
    late[0] = LOW_EIGHTS(v[2], v[3]), late[1] = HIGH_EIGHTS(v[2], v[3]);
    for (int i = 0; i < 4; i++) {
        f32x16 a = early[i / 2], b = late[i / 2];
        f32x16 line = i % 2 ? __builtin_shufflevector(a, b, 4, 12, 20, 28, 5, 13, 21, 29, 6, 14, 22, 30, 7, 15, 23, 31)
                            : __builtin_shufflevector(a, b, 0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27);
        if (streaming)
            __builtin_nontemporal_store(line, (f32x16_line *)(to + i * TREE_LANES));
        else
            *(f32x16_anywhere *)(to + i * TREE_LANES) = line;
    }
}

#else

LANES_INLINE void spread_fours(float *to, int64_t row, const float *from) { spread_sixteen(to, row, from, 4, 4); }

LANES_INLINE void join_fours(float *to, const float *from, int64_t row, int streaming) {
    f32x16 v[4];
    for (int i = 0; i < 4; i++) v[i] = *(const f32x16_anywhere *)(from + i * row);
    transpose_quads(v);
    for (int i = 0; i < 4; i++) {
        const float *lanes = (const float *)v + 4 * i;
        f32x16 line = four_quads(lanes, lanes + 16, lanes + 32, lanes + 48);
        if (streaming)
            __builtin_nontemporal_store(line, (f32x16_line *)(to + i * TREE_LANES));
        else
            *(f32x16_anywhere *)(to + i * TREE_LANES) = line;
    }
}

#endif

// Classes side by side in each voxel, to rows of classes.
static inline void spread(float *restrict to, int64_t row, const float *restrict from, int64_t step, int classes,
                          int64_t voxels) {
    int64_t v = 0;
    if (classes == 2 && step == 2) {
        spread_few(to, row, from, 2, 2, voxels);
        return;
    }
    if (classes == 3 && step == 3) {
        spread_few(to, row, from, 3, 3, voxels);
        return;
    }
    if (classes == 4 && step == 4)
        for (; v + TREE_LANES <= voxels; v += TREE_LANES) spread_fours(to + v, row, from + v * 4);
    else if (classes >= 4)
        for (; v + TREE_LANES <= voxels; v += TREE_LANES) spread_sixteen(to + v, row, from + v * step, step, classes);
    spread_few(to + v, row, from + v * step, step, classes, voxels - v);
}

// Rows of classes, to classes side by side.
static inline void join(float *restrict to, const float *restrict from, int64_t row, int classes, int64_t voxels) {
    int64_t v = 0;
    if (classes == 2) {
        join_few(to, from, row, 2, voxels);
        return;
    }
    if (classes == 3) {
        join_few(to, from, row, 3, voxels);
        return;
    }
    if (classes >= 4)
        for (; v + TREE_LANES <= voxels; v += TREE_LANES) join_sixteen(to + v * classes, from + v, row, classes);
    join_few(to + v * classes, from + v, row, classes, voxels - v);
}

// ------------------------------------------------------------------------------------------- values of a view ----

enum { TILE_VALUES = 1024 }; // of voxels with their classes side by side, converted at once; one voxel may be more

LANES_INLINE int64_t tile_voxels(int classes) {
    int64_t voxels = TILE_VALUES / classes / TREE_LANES * TREE_LANES;
    return voxels ? voxels : TREE_LANES;
}

LANES_INLINE const char *element(const void *base, size_t bytes, int64_t offset) {
    return (const char *)base + offset * (int64_t)bytes;
}

static inline void gather_interleaved(float *to, int64_t row, const void *from, const buffer_layout *b, int classes,
                                      int64_t voxels) {
    if (b->type == CLOSS_FLOAT32 && (uintptr_t)from % sizeof(float) == 0) {
        spread(to, row, from, b->column, classes, voxels);
        return;
    }
    int64_t tile = tile_voxels(classes);
    float side_by_side[tile * classes];
    for (int64_t v = 0; v < voxels; v += tile) {
        int64_t here = voxels - v < tile ? voxels - v : tile;
        if (b->column == classes)
            widen(side_by_side, element(from, b->bytes, v * classes), b->type, here * classes);
        else
            for (int64_t i = 0; i < here; i++)
                widen(side_by_side + i * classes, element(from, b->bytes, (v + i) * b->column), b->type, classes);
        spread(to + v, row, side_by_side, classes, classes, here);
    }
}

static inline void scatter_interleaved(void *to, const buffer_layout *b, const float *from, int64_t row, int classes,
                                       int64_t voxels, int streaming) {
    if (b->type == CLOSS_FLOAT32 && classes == 4 && b->column == 4 && (uintptr_t)to % (streaming ? 64 : 4) == 0 &&
        voxels % TREE_LANES == 0) {
        for (int64_t v = 0; v < voxels; v += TREE_LANES) join_fours((float *)to + v * 4, from + v, row, streaming);
        return;
    }
    int64_t tile = tile_voxels(classes);
    float side_by_side[tile * classes];
    for (int64_t v = 0; v < voxels; v += tile) {
        int64_t here = voxels - v < tile ? voxels - v : tile;
        join(side_by_side, from + v, row, classes, here);
        if (b->column == classes)
            narrow((char *)element(to, b->bytes, v * classes), b->type, side_by_side, here * classes, streaming);
        else
            for (int64_t i = 0; i < here; i++)
                narrow((char *)element(to, b->bytes, (v + i) * b->column), b->type, side_by_side + i * classes, classes,
                       0);
    }
}

static inline void gather_strided(float *to, const void *from, const buffer_layout *b, int64_t voxels) {
    if (b->column == 1) {
        widen(to, from, b->type, voxels);
        return;
    }
    for (int64_t v = 0; v < voxels; v++) {
        const char *at = element(from, b->bytes, v * b->column);
        if (b->type == CLOSS_FLOAT32)
            memcpy(to + v, at, sizeof *to);
        else
            to[v] = float_of_bits16(at, b->type);
    }
}

static inline void scatter_strided(void *to, const buffer_layout *b, const float *from, int64_t voxels, int streaming) {
    if (b->column == 1) {
        narrow(to, b->type, from, voxels, streaming);
        return;
    }
    float values[BLOCK_VOXELS];
    char narrowed[BLOCK_VOXELS * sizeof(float)];
    for (int64_t v = 0; v < voxels; v += BLOCK_VOXELS) {
        int64_t here = voxels - v < BLOCK_VOXELS ? voxels - v : BLOCK_VOXELS;
        memcpy(values, from + v, (size_t)here * sizeof *from);
        narrow(narrowed, b->type, values, here, 0);
        for (int64_t i = 0; i < here; i++)
            memcpy((char *)element(to, b->bytes, (v + i) * b->column), narrowed + i * (int64_t)b->bytes, b->bytes);
    }
}

// The voxels from `first` on as rows of classes, `row` apart.
static inline void gather_values(float *to, int64_t row, const void *base, const run_layout *l, const buffer_layout *b,
                                 int classes, int64_t first, int64_t voxels) {
    for (int64_t done = 0, here; done < voxels; done += here) {
        int64_t offset;
        here = layout_stretch(l, b, first + done, voxels - done, &offset);
        if (classes > 1 && b->channel == 1) {
            gather_interleaved(to + done, row, element(base, b->bytes, offset), b, classes, here);
            continue;
        }
        for (int c = 0; c < classes; c++)
            gather_strided(to + c * row + done, element(base, b->bytes, offset + c * b->channel), b, here);
    }
}

static inline void scatter_values(void *base, const run_layout *l, const buffer_layout *b, const float *from,
                                  int64_t row, int classes, int64_t first, int64_t voxels, int streaming) {
    for (int64_t done = 0, here; done < voxels; done += here) {
        int64_t offset;
        here = layout_stretch(l, b, first + done, voxels - done, &offset);
        if (classes > 1 && b->channel == 1) {
            scatter_interleaved((char *)element(base, b->bytes, offset), b, from + done, row, classes, here, streaming);
            continue;
        }
        for (int c = 0; c < classes; c++)
            scatter_strided((char *)element(base, b->bytes, offset + c * b->channel), b, from + c * row + done, here,
                            streaming);
    }
}

#define GATHER_ELEMENTS(type)                                                                                          \
    for (int64_t v = 0; v < here; v++) memcpy((type *)into + v, (const type *)from + v * b->column, sizeof(type))

// Elements of another kind (labels, masks, ...) as they are, one row for each class.
static inline void gather_elements(void *to, int64_t row, const void *base, const run_layout *l, const buffer_layout *b,
                                   int classes, int64_t first, int64_t voxels) {
    for (int64_t done = 0, here; done < voxels; done += here) {
        int64_t offset;
        here = layout_stretch(l, b, first + done, voxels - done, &offset);
        for (int c = 0; c < classes; c++) {
            const char *from = element(base, b->bytes, offset + c * b->channel);
            char *into = (char *)to + (c * row + done) * (int64_t)b->bytes;
            if (b->column == 1) {
                memcpy(into, from, (size_t)here * b->bytes);
                continue;
            }
            switch (b->bytes) {
            case 1: GATHER_ELEMENTS(uint8_t); break;
            case 2: GATHER_ELEMENTS(uint16_t); break;
            case 4: GATHER_ELEMENTS(uint32_t); break;
            default: GATHER_ELEMENTS(uint64_t);
            }
        }
    }
}

// ------------------------------------------------------------------------------------------------------ pieces ----

// Of a softmax's run: so few classes that, where they stand side by side, each block is taken apart in the nearest
// cache.
enum { CLASSES_TAKEN_APART = 32 };

// Room for one piece.
typedef struct stage {
    float *logits, *gradient; // [classes][row]
    void *targets;            // [target rows][row], of up to 8 bytes
    uint8_t *mask;
    float *weights, *maps;
    int64_t row;
    int classes, target_rows;
} stage;

// Whether a buffer's voxels stand side by side, as the kernels read them.
LANES_INLINE int is_straight(const buffer_layout *b) { return b->linear && b->column == 1; }

// Logits and gradient that can stay where they are: floats, class by class, both alike.
LANES_INLINE int values_stay(const run *whole, const stage *s) {
    const run_layout *l = whole->layout;
    const buffer_layout *x = &l->logits, *y = &l->gradient, *t = &l->targets, *m = &l->maps;
    int stays = x->type == CLOSS_FLOAT32 && is_straight(x);
    if (whole->gradient) stays &= y->type == CLOSS_FLOAT32 && is_straight(y) && y->channel == x->channel;
    if (s->classes > 1 && whole->maps) stays &= is_straight(m) && m->channel == x->channel;
    if (s->target_rows > 1) stays &= is_straight(t) && t->channel == x->channel;
    return stays;
}

LANES_INLINE const void *straight_at(const void *base, const run_layout *l, const buffer_layout *b, int64_t first) {
    int64_t offset;
    layout_stretch(l, b, first, 1, &offset);
    return element(base, b->bytes, offset);
}

// The piece of a run that begins `offset` voxels on, as a run that kernels can walk.
static inline run staged_piece(const run *whole, int64_t offset, int64_t voxels, const stage *s) {
    const run_layout *l = whole->layout;
    int64_t first = whole->first + offset;
    int stays = values_stay(whole, s);
    run piece = *whole;
    piece.layout = 0;
    piece.first = 0;
    piece.voxels = voxels;
    piece.distance_maps = distances_from(whole, offset);
    if (whole->lovasz_slopes) piece.lovasz_slopes += offset;
    if (stays) {
        piece.class_stride = l->logits.channel;
        piece.logits = straight_at(whole->logits, l, &l->logits, first);
        if (whole->gradient) piece.gradient = (float *)straight_at(whole->gradient, l, &l->gradient, first);
        uintptr_t lines = (uintptr_t)piece.gradient | (uintptr_t)(piece.class_stride * (int64_t)sizeof(float));
        if (whole->store == STORE_STREAMING && lines % 64) piece.store = STORE_PLAIN;
    } else {
        piece.class_stride = s->row;
        gather_values(s->logits, s->row, whole->logits, l, &l->logits, s->classes, first, voxels);
        piece.logits = s->logits;
        if (whole->gradient) {
            piece.gradient = s->gradient;
            if (whole->store == STORE_ADD)
                gather_values(s->gradient, s->row, whole->gradient, l, &l->gradient, s->classes, first, voxels);
            else
                piece.store = STORE_PLAIN;
        }
    }
    if (is_straight(&l->targets) && (stays || s->target_rows == 1)) {
        piece.targets = straight_at(whole->targets, l, &l->targets, first);
    } else {
        gather_elements(s->targets, s->row, whole->targets, l, &l->targets, s->target_rows, first, voxels);
        piece.targets = s->targets;
    }
    if (whole->mask && is_straight(&l->mask)) {
        piece.mask = straight_at(whole->mask, l, &l->mask, first);
    } else if (whole->mask) {
        gather_elements(s->mask, s->row, whole->mask, l, &l->mask, 1, first, voxels);
        piece.mask = s->mask;
    }
    if (whole->weights && is_straight(&l->weights)) {
        piece.weights = straight_at(whole->weights, l, &l->weights, first);
    } else if (whole->weights) {
        gather_elements(s->weights, s->row, whole->weights, l, &l->weights, 1, first, voxels);
        piece.weights = s->weights;
    }
    if (whole->maps && is_straight(&l->maps) && (stays || s->classes == 1)) {
        piece.maps = straight_at(whole->maps, l, &l->maps, first);
    } else if (whole->maps) {
        gather_elements(s->maps, s->row, whole->maps, l, &l->maps, s->classes, first, voxels);
        piece.maps = s->maps;
    }
    return piece;
}

// Takes a piece's gradient to where it belongs.
static inline void unstage_piece(const run *whole, const run *piece, int64_t offset, const stage *s) {
    if (!whole->gradient || piece->gradient != s->gradient) return;
    const run_layout *l = whole->layout;
    scatter_values(whole->gradient, l, &l->gradient, s->gradient, s->row, s->classes, whole->first + offset,
                   piece->voxels, whole->store == STORE_STREAMING);
}

// Walks a run in pieces of at most `most` voxels (a multiple of the block), each where kernels can read it; a run that
// already is such is one piece. A gradient is taken to its place after the body. Rows are a cache line longer than a
// piece: at a power of two apart, rows of many classes would all fall into the same few lines of the cache.
#define FOR_EACH_PIECE(whole, piece, class_count, most, ...)                                                           \
    do {                                                                                                               \
        const run *whole_ = (whole);                                                                                   \
        const int64_t row_ = whole_->layout ? (most) + TREE_LANES : 1,                                                 \
                      values_ = whole_->layout ? row_ * (class_count) : 1;                                             \
        const int target_rows_ = (class_count) > 1 && target_is_dense(whole_->target) ? (class_count) : 1;             \
        float stage_logits_[values_], stage_gradient_[whole_->gradient ? values_ : 1];                                 \
        float stage_weights_[whole_->weights ? row_ : 1], stage_maps_[whole_->maps ? values_ : 1];                     \
        uint64_t stage_targets_[(row_ * target_rows_ * (int64_t)target_bytes(whole_->target) + 7) / 8];                \
        uint8_t stage_mask_[whole_->mask ? row_ : 1];                                                                  \
        const stage stage_ = {                                                                                         \
            stage_logits_, stage_gradient_, stage_targets_, stage_mask_, stage_weights_, stage_maps_,                  \
            row_,          (class_count),   target_rows_};                                                             \
        const int64_t step_ = whole_->layout ? (most) : whole_->voxels;                                                \
        for (int64_t piece_offset_ = 0; piece_offset_ < whole_->voxels; piece_offset_ += step_) {                      \
            int64_t left_ = whole_->voxels - piece_offset_;                                                            \
            run piece = whole_->layout ? staged_piece(whole_, piece_offset_, left_ < step_ ? left_ : step_, &stage_)   \
                                       : *whole_;                                                                      \
            __VA_ARGS__;                                                                                               \
            if (whole_->layout) unstage_piece(whole_, &piece, piece_offset_, &stage_);                                 \
        }                                                                                                              \
    } while (0)

#endif
