// Voxels whose classes stand side by side, as rows of classes; and back.
#ifndef CLOSS_KERNELS_INTERLEAVED_H
#define CLOSS_KERNELS_INTERLEAVED_H

#include "kernels/conversions.h"

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

#endif
