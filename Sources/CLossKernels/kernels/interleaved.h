// Voxels whose classes stand side by side, as rows of classes; and back.
#ifndef CLOSS_KERNELS_INTERLEAVED_H
#define CLOSS_KERNELS_INTERLEAVED_H

#include "kernels/conversions.h"

// Four fours as one vector.
LANES_INLINE f32x16 four_quads(const float *a, const float *b, const float *c, const float *d) {
    f32x4 p = *(const f32x4_anywhere *)a, q = *(const f32x4_anywhere *)b;
    f32x4 r = *(const f32x4_anywhere *)c, s = *(const f32x4_anywhere *)d;
    f32x8 low = __builtin_shufflevector(p, q, 0, 1, 2, 3, 4, 5, 6, 7);
    f32x8 high = __builtin_shufflevector(r, s, 0, 1, 2, 3, 4, 5, 6, 7);
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

// The first (or last) four of each eight lanes of `a`, each before those of `b`.
#define EVEN_QUADS(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27)
#define ODD_QUADS(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31)

// Four matrices of 4 x 4 side by side, transposed; its own inverse.
LANES_INLINE void transpose_quads(f32x16 v[4]) {
    f32x16 low_01 = LOW_PAIRS(v[0], v[1]), high_01 = HIGH_PAIRS(v[0], v[1]);
    f32x16 low_23 = LOW_PAIRS(v[2], v[3]), high_23 = HIGH_PAIRS(v[2], v[3]);
    v[0] = LOW_HALVES(low_01, low_23);
    v[1] = HIGH_HALVES(low_01, low_23);
    v[2] = LOW_HALVES(high_01, high_23);
    v[3] = HIGH_HALVES(high_01, high_23);
}

// Two matrices of 2 x 2 side by side, of quads of vectors that stand four apart, transposed; its own inverse.
LANES_INLINE void exchange_quads_of_eights(f32x16 v[8]) {
    for (int i = 0; i < 4; i++) {
        f32x16 even = EVEN_QUADS(v[i], v[i + 4]);
        v[i + 4] = ODD_QUADS(v[i], v[i + 4]);
        v[i] = even;
    }
}

// Classes that are taken together: four or eight.
typedef struct class_group {
    int first, size;
} class_group;

// The group that `next` is in: the last ones are taken together, however many of them were taken before. Five to seven
// classes are one group of eight where that may pass the end.
LANES_INLINE class_group group_of_classes(int next, int classes, int may_pass_the_end) {
    int size = classes - next > 4 && (classes >= 8 || may_pass_the_end) ? 8 : 4;
    int last = classes > size ? classes - size : 0;
    return (class_group){next < last ? next : last, size};
}

LANES_INLINE void spread_fours(float *to, int64_t row, const float *from, int64_t step) {
    f32x16 v[4];
    for (int i = 0; i < 4; i++) {
        const float *at = from + i * step;
        v[i] = four_quads(at, at + 4 * step, at + 8 * step, at + 12 * step);
    }
    transpose_quads(v);
    for (int i = 0; i < 4; i++) *(f32x16_anywhere *)(to + i * row) = v[i];
}

LANES_INLINE void spread_eights(float *to, int64_t row, const float *from, int64_t step, int rows) {
    f32x16 v[8];
    for (int i = 0; i < 8; i++) {
        f32x8 low = *(const f32x8_anywhere *)(from + i * step), high = *(const f32x8_anywhere *)(from + (i + 8) * step);
        v[i] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    }
    transpose_quads(v);
    transpose_quads(v + 4);
    exchange_quads_of_eights(v);
    for (int i = 0; i < 8; i++)
        if (i < rows) *(f32x16_anywhere *)(to + i * row) = v[i];
}

// 16 voxels whose classes stand side by side, `step` apart, become rows of classes. Of five to seven classes, up to
// three elements behind those of the last voxel may be read where `more` voxels follow at once.
LANES_INLINE void spread_sixteen(float *to, int64_t row, const float *from, int64_t step, int classes, int more) {
    class_group group;
    for (int next = 0; next < classes; next = group.first + group.size) {
        group = group_of_classes(next, classes, more);
        float *rows = to + group.first * row;
        if (group.size == 8)
            spread_eights(rows, row, from + group.first, step, classes);
        else
            spread_fours(rows, row, from + group.first, step);
    }
}

LANES_INLINE void join_fours(float *to, const float *from, int64_t row, int step) {
    f32x16 v[4];
    for (int i = 0; i < 4; i++) v[i] = *(const f32x16_anywhere *)(from + i * row);
    transpose_quads(v);
    for (int i = 0; i < 4; i++) {
        float *at = to + i * step;
        *(f32x4_anywhere *)at = __builtin_shufflevector(v[i], v[i], 0, 1, 2, 3);
        *(f32x4_anywhere *)(at + 4 * step) = __builtin_shufflevector(v[i], v[i], 4, 5, 6, 7);
        *(f32x4_anywhere *)(at + 8 * step) = __builtin_shufflevector(v[i], v[i], 8, 9, 10, 11);
        *(f32x4_anywhere *)(at + 12 * step) = __builtin_shufflevector(v[i], v[i], 12, 13, 14, 15);
    }
}

// In the order of the voxels: what is written behind the classes of one is overwritten by the next.
LANES_INLINE void join_eights(float *to, const float *from, int64_t row, int step, int rows) {
    f32x16 v[8];
    for (int i = 0; i < 8; i++) v[i] = i < rows ? *(const f32x16_anywhere *)(from + i * row) : (f32x16){0};
    exchange_quads_of_eights(v);
    transpose_quads(v);
    transpose_quads(v + 4);
    for (int i = 0; i < 8; i++)
        *(f32x8_anywhere *)(to + i * step) = __builtin_shufflevector(v[i], v[i], 0, 1, 2, 3, 4, 5, 6, 7);
    for (int i = 0; i < 8; i++)
        *(f32x8_anywhere *)(to + (i + 8) * step) = __builtin_shufflevector(v[i], v[i], 8, 9, 10, 11, 12, 13, 14, 15);
}

// And back. Where `more` voxels follow, up to three elements of the next may be written, before its own.
LANES_INLINE void join_sixteen(float *to, const float *from, int64_t row, int classes, int more) {
    class_group group;
    for (int next = 0; next < classes; next = group.first + group.size) {
        group = group_of_classes(next, classes, more);
        const float *rows = from + group.first * row;
        if (group.size == 8)
            join_eights(to + group.first, rows, row, classes, classes);
        else
            join_fours(to + group.first, rows, row, classes);
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

// ------------------------------------------------------------------------------- packed: nothing between voxels ----

enum { MOST_PACKED = 4 };

LANES_INLINE void unpack_twos(f32x16 v[2]) {
    f32x16 even = __builtin_shufflevector(v[0], v[1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    v[1] = __builtin_shufflevector(v[0], v[1], 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    v[0] = even;
}

LANES_INLINE void pack_twos(f32x16 v[2]) {
    f32x16 early = __builtin_shufflevector(v[0], v[1], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    v[1] = __builtin_shufflevector(v[0], v[1], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    v[0] = early;
}

LANES_INLINE void unpack_threes(f32x16 v[3]) {
    f32x16 first = __builtin_shufflevector(v[0], v[1], 0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0, 0, 0, 0, 0);
    first = __builtin_shufflevector(first, v[2], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29);
    f32x16 second = __builtin_shufflevector(v[0], v[1], 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 0, 0, 0, 0, 0);
    second = __builtin_shufflevector(second, v[2], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30);
    f32x16 third = __builtin_shufflevector(v[0], v[1], 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 0, 0, 0, 0, 0);
    third = __builtin_shufflevector(third, v[2], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31);
    v[0] = first, v[1] = second, v[2] = third;
}

LANES_INLINE void pack_threes(f32x16 v[3]) {
    f32x16 first = __builtin_shufflevector(v[0], v[1], 0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5);
    first = __builtin_shufflevector(first, v[2], 0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15);
    f32x16 second = __builtin_shufflevector(v[0], v[1], 21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26);
    second = __builtin_shufflevector(second, v[2], 0, 21, 2, 3, 22, 5, 6, 23, 8, 9, 24, 11, 12, 25, 14, 15);
    f32x16 third = __builtin_shufflevector(v[0], v[1], 0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0);
    third = __builtin_shufflevector(third, v[2], 26, 1, 2, 27, 4, 5, 28, 7, 8, 29, 10, 11, 30, 13, 14, 31);
    v[0] = first, v[1] = second, v[2] = third;
}

#if CLOSS_HAS_WIDE_SHUFFLES

// Eight shuffles of two whole vectors.
LANES_INLINE void unpack_fours(f32x16 v[4]) {
    f32x16 early[2], late[2];
    for (int i = 0; i < 2; i++) {
        f32x16 a = v[2 * i], b = v[2 * i + 1];
        early[i] = __builtin_shufflevector(a, b, 0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
        late[i] = __builtin_shufflevector(a, b, 2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31);
    }
    v[0] = LOW_EIGHTS(early[0], early[1]), v[1] = HIGH_EIGHTS(early[0], early[1]);
    v[2] = LOW_EIGHTS(late[0], late[1]), v[3] = HIGH_EIGHTS(late[0], late[1]);
}

LANES_INLINE void pack_fours(f32x16 v[4]) {
    f32x16 early[2], late[2];
    early[0] = LOW_EIGHTS(v[0], v[1]), early[1] = HIGH_EIGHTS(v[0], v[1]);
    late[0] = LOW_EIGHTS(v[2], v[3]), late[1] = HIGH_EIGHTS(v[2], v[3]);
    for (int i = 0; i < 2; i++) {
        f32x16 a = early[i], b = late[i];
        v[2 * i] = __builtin_shufflevector(a, b, 0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27);
        v[2 * i + 1] = __builtin_shufflevector(a, b, 4, 12, 20, 28, 5, 13, 21, 29, 6, 14, 22, 30, 7, 15, 23, 31);
    }
}

#else

// The fours of four vectors as a matrix, transposed; its own inverse.
LANES_INLINE void exchange_quads(f32x16 v[4]) {
    f32x16 a = LOW_EIGHTS(v[0], v[2]), b = LOW_EIGHTS(v[1], v[3]);
    f32x16 c = HIGH_EIGHTS(v[0], v[2]), d = HIGH_EIGHTS(v[1], v[3]);
    v[0] = EVEN_QUADS(a, b), v[1] = ODD_QUADS(a, b);
    v[2] = EVEN_QUADS(c, d), v[3] = ODD_QUADS(c, d);
}

LANES_INLINE void unpack_fours(f32x16 v[4]) {
    exchange_quads(v);
    transpose_quads(v);
}

LANES_INLINE void pack_fours(f32x16 v[4]) {
    transpose_quads(v);
    exchange_quads(v);
}

#endif

LANES_INLINE f32x16 load_sixteen(const void *from, closs_float type) {
    return type == CLOSS_FLOAT32 ? *(const f32x16_anywhere *)from : widened(*(const u16x16_anywhere *)from, type);
}

// Streaming, to an address that is a multiple of the vector's bytes.
LANES_INLINE void store_sixteen(void *to, closs_float type, f32x16 value, int streaming) {
    if (type != CLOSS_FLOAT32) {
        u16x16 narrow = narrowed_to(value, type);
        if (streaming)
            __builtin_nontemporal_store(narrow, (u16x16 *)to);
        else
            *(u16x16_anywhere *)to = narrow;
    } else if (streaming) {
        __builtin_nontemporal_store(value, (f32x16_line *)to);
    } else {
        *(f32x16_anywhere *)to = value;
    }
}

// Sixteens of voxels of `classes` classes; gives back how many voxels that was.
LANES_INLINE int64_t unpack_as(closs_float type, int classes, float *to, int64_t row, const char *from,
                               int64_t voxels) {
    size_t vector = TREE_LANES * (type == CLOSS_FLOAT32 ? sizeof(float) : sizeof(uint16_t));
    int64_t v = 0;
    for (; v + TREE_LANES <= voxels; v += TREE_LANES) {
        f32x16 x[MOST_PACKED];
        for (int i = 0; i < classes; i++, from += vector) x[i] = load_sixteen(from, type);
        if (classes == 2) unpack_twos(x);
        if (classes == 3) unpack_threes(x);
        if (classes == 4) unpack_fours(x);
        for (int i = 0; i < classes; i++) *(f32x16_anywhere *)(to + i * row + v) = x[i];
    }
    return v;
}

LANES_INLINE int64_t pack_as(closs_float type, int classes, char *to, const float *from, int64_t row, int64_t voxels,
                             int streaming) {
    size_t vector = TREE_LANES * (type == CLOSS_FLOAT32 ? sizeof(float) : sizeof(uint16_t));
    int64_t v = 0;
    for (; v + TREE_LANES <= voxels; v += TREE_LANES) {
        f32x16 x[MOST_PACKED];
        for (int i = 0; i < classes; i++) x[i] = *(const f32x16_anywhere *)(from + i * row + v);
        if (classes == 2) pack_twos(x);
        if (classes == 3) pack_threes(x);
        if (classes == 4) pack_fours(x);
        for (int i = 0; i < classes; i++, to += vector) store_sixteen(to, type, x[i], streaming);
    }
    return v;
}

// A copy for each type and number of classes: in registers, what is copied costs a few shuffles.
#define BY_TYPE(function, b, classes, ...)                                                                             \
    ((b)->type == CLOSS_FLOAT32   ? function(CLOSS_FLOAT32, classes, __VA_ARGS__)                                      \
     : (b)->type == CLOSS_FLOAT16 ? function(CLOSS_FLOAT16, classes, __VA_ARGS__)                                      \
                                  : function(CLOSS_BFLOAT16, classes, __VA_ARGS__))
#define BY_TYPE_AND_CLASSES(function, b, classes, ...)                                                                 \
    ((classes) == 2   ? BY_TYPE(function, b, 2, __VA_ARGS__)                                                           \
     : (classes) == 3 ? BY_TYPE(function, b, 3, __VA_ARGS__)                                                           \
                      : BY_TYPE(function, b, 4, __VA_ARGS__))

LANES_INLINE int is_packed(const buffer_layout *b, int classes) {
    return classes >= 2 && classes <= MOST_PACKED && b->column == classes;
}

// ------------------------------------------------------------------------------------------------- any distance ----

LANES_INLINE void spread_voxels(float *restrict to, int64_t row, const float *restrict from, int64_t step, int classes,
                                int64_t voxels) {
    int64_t v = 0;
    if (classes >= 4)
        for (; v + TREE_LANES <= voxels; v += TREE_LANES)
            spread_sixteen(to + v, row, from + v * step, step, classes, step == classes && v + TREE_LANES < voxels);
    spread_few(to + v, row, from + v * step, step, classes, voxels - v);
}

LANES_INLINE void join_voxels(float *restrict to, const float *restrict from, int64_t row, int classes,
                              int64_t voxels) {
    int64_t v = 0;
    if (classes >= 4)
        for (; v + TREE_LANES <= voxels; v += TREE_LANES)
            join_sixteen(to + v * classes, from + v, row, classes, v + TREE_LANES < voxels);
    join_few(to + v * classes, from + v, row, classes, voxels - v);
}

// With the number of classes fixed, all addresses are: they would be half of the instructions.
#define FOR_FIXED_CLASSES(classes, CASE)                                                                               \
    switch (classes) {                                                                                                 \
        CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14) CASE(15) CASE(16)         \
    }

// Classes side by side in each voxel, to rows of classes.
static inline void spread(float *restrict to, int64_t row, const float *restrict from, int64_t step, int classes,
                          int64_t voxels) {
#define SPREAD_FIXED(n)                                                                                                \
    case n: spread_voxels(to, BLOCK_VOXELS, from, n, n, voxels); return;
    if (step == classes && row == BLOCK_VOXELS) FOR_FIXED_CLASSES(classes, SPREAD_FIXED)
#undef SPREAD_FIXED
    spread_voxels(to, row, from, step, classes, voxels);
}

// Rows of classes, to classes side by side.
static inline void join(float *restrict to, const float *restrict from, int64_t row, int classes, int64_t voxels) {
#define JOIN_FIXED(n)                                                                                                  \
    case n: join_voxels(to, from, BLOCK_VOXELS, n, voxels); return;
    if (row == BLOCK_VOXELS) FOR_FIXED_CLASSES(classes, JOIN_FIXED)
#undef JOIN_FIXED
    join_voxels(to, from, row, classes, voxels);
}

enum { TILE_VALUES = 1024 }; // of voxels with their classes side by side, converted at once; one voxel may be more

LANES_INLINE int64_t tile_voxels(int classes) {
    int64_t voxels = TILE_VALUES / classes / TREE_LANES * TREE_LANES;
    return voxels ? voxels : TREE_LANES;
}

LANES_INLINE const char *element(const void *base, size_t bytes, int64_t offset) {
    return (const char *)base + offset * (int64_t)bytes;
}

LANES_INLINE void gather_tiles(float *to, int64_t row, const void *from, const buffer_layout *b, int classes,
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

static inline void gather_interleaved(float *to, int64_t row, const void *from, const buffer_layout *b, int classes,
                                      int64_t voxels) {
    int64_t done = 0;
    if (is_packed(b, classes)) done = BY_TYPE_AND_CLASSES(unpack_as, b, classes, to, row, from, voxels);
    if (done < voxels)
        gather_tiles(to + done, row, element(from, b->bytes, done * b->column), b, classes, voxels - done);
}

LANES_INLINE void scatter_tiles(void *to, const buffer_layout *b, const float *from, int64_t row, int classes,
                                int64_t voxels, int streaming) {
    if (b->type == CLOSS_FLOAT32 && b->column == classes && !streaming && (uintptr_t)to % sizeof(float) == 0) {
        join(to, from, row, classes, voxels);
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

static inline void scatter_interleaved(void *to, const buffer_layout *b, const float *from, int64_t row, int classes,
                                       int64_t voxels, int streaming) {
    int64_t done = 0;
    if (is_packed(b, classes) && !(streaming && (uintptr_t)to % 64))
        done = BY_TYPE_AND_CLASSES(pack_as, b, classes, to, from, row, voxels, streaming);
    if (done < voxels)
        scatter_tiles((char *)element(to, b->bytes, done * b->column), b, from + done, row, classes, voxels - done,
                      streaming);
}

#endif
