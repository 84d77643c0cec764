// Exact Euclidean distance transforms (arithmetic 12): along rows by runs of the class, then across them with many
// lines side by side. Included once for each instruction set.
#ifndef CLOSS_KERNELS_DISTANCE_H
#define CLOSS_KERNELS_DISTANCE_H

#include <math.h>

#include "kernels/distance_job.h"
#include "kernels/stage.h"

// Next to it the spacing of floats is 1: what is added and taken away again is rounded to a whole number.
static const float ROUNDS_TO_WHOLE = 0x1.8p+23f;

// -------------------------------------------------------------------------------------------------------- rows ----

#define IS_LABEL(type) (((const type *)labels)[i] == (type)label && (int64_t)(type)label == label)

LANES_INLINE int has_label(closs_target target, const void *labels, int64_t i, int64_t label) {
    switch (target) {
    case CLOSS_LABELS_U8: return IS_LABEL(uint8_t);
    case CLOSS_LABELS_U16: return IS_LABEL(uint16_t);
    case CLOSS_LABELS_I32: return IS_LABEL(int32_t);
    default: return IS_LABEL(int64_t);
    }
}

// The first voxel from `i` on whose membership is not `inside`; `n` where there is none.
LANES_INLINE int64_t end_of_stretch(closs_target target, const void *labels, int64_t i, int64_t n, int64_t label,
                                    int inside) {
    for (; target == CLOSS_LABELS_U8 && i + LANES <= n; i += LANES) {
        vu8 here = *(const vu8_anywhere *)((const uint8_t *)labels + i);
        uint64_t same = label == (uint8_t)label ? byte_bits((vu8)(here == (uint8_t)label)) : 0;
        if (!inside) same = ~same;
        if (~same) return i + __builtin_ctzll(~same);
    }
    while (i < n && has_label(target, labels, i, label) == inside) i++;
    return i;
}

// Voxels [first, end) are of one kind, those beside them of the other.
LANES_INLINE void fill_stretch(const distance_job *job, int64_t first, int64_t end, int inside, int32_t *steps) {
    const int64_t n = job->columns;
    const int32_t flip = inside ? -1 : 0, far = far_steps(job);
    if (inside && job->form != CLOSS_DISTANCE_SIGNED) {
        memset(steps + first, 0, (size_t)(end - first) * sizeof *steps);
    } else if (first == 0 && end == n) {
        for (int64_t i = first; i < end; i++) steps[i] = far ^ flip;
    } else if (first == 0 || end == n) {
        for (int64_t i = first; i < end; i++) steps[i] = (int32_t)(first ? i - first + 1 : end - i) ^ flip;
    } else {
        for (int64_t i = first; i < end; i++) {
            int32_t before = (int32_t)(i - first + 1), after = (int32_t)(end - i);
            steps[i] = (before < after ? before : after) ^ flip;
        }
    }
}

LANES_INLINE void steps_of(const distance_job *job, closs_target target, const void *labels, int64_t label,
                           int32_t *steps) {
    for (int64_t first = 0, end; first < job->columns; first = end) {
        int inside = has_label(target, labels, first, label);
        end = end_of_stretch(target, labels, first + 1, job->columns, label, inside);
        fill_stretch(job, first, end, inside, steps);
    }
}

static void distance_row(const distance_job *job, closs_target target, const void *labels, int64_t label,
                         int32_t *steps) {
    switch (target) {
    case CLOSS_LABELS_U8: steps_of(job, CLOSS_LABELS_U8, labels, label, steps); break;
    case CLOSS_LABELS_U16: steps_of(job, CLOSS_LABELS_U16, labels, label, steps); break;
    case CLOSS_LABELS_I32: steps_of(job, CLOSS_LABELS_I32, labels, label, steps); break;
    default: steps_of(job, CLOSS_LABELS_I64, labels, label, steps);
    }
}

// ------------------------------------------------------------------------------------------------------ values ----

LANES_INLINE int32_t bits_of_float(float value) {
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// Distances as the map holds them.
LANES_INLINE void store_distances(const distance_job *job, const float *values, int lanes, void *map, int64_t at,
                                  int64_t count) {
    uint16_t narrowed[NARROW_LANES];
    if (job->type == CLOSS_DISTANCE_FLOAT32) {
        memcpy((float *)map + at, values, (size_t)count * sizeof(float));
        return;
    }
    for (int i = 0; i < lanes; i += TREE_LANES) {
        f32x16 here = *(const f32x16_anywhere *)(values + i);
        u16x16 bits;
        if (job->type == CLOSS_DISTANCE_FLOAT16) {
            bits = half_of_float(here);
        } else {
            here *= job->scale;
            here = (f32x16)(((u32x16)(here < 32767) & (u32x16)here) |
                            (~(u32x16)(here < 32767) & (u32x16)((f32x16){} + 32767)));
            here = (f32x16)(((u32x16)(here > -32767) & (u32x16)here) |
                            (~(u32x16)(here > -32767) & (u32x16)((f32x16){} - 32767)));
            here = (here + ROUNDS_TO_WHOLE) - ROUNDS_TO_WHOLE;
            bits = (u16x16) __builtin_convertvector(here, VECTOR(int16_t, TREE_LANES));
        }
        memcpy(narrowed + i, &bits, sizeof bits);
    }
    memcpy((uint16_t *)map + at, narrowed, (size_t)count * sizeof *narrowed);
}

// ------------------------------------------------------------------------------------------------------- lines ----

#define LINES(name) narrow_##name
#define ELEMENT int32_t
#define INDEX int32_t
#define LINE_LANES NARROW_LANES
#define FLIP_MASK(inside) (inside)
// Integers up to 2^30 are rounded once either way.
#define IN_UNITS(squared, unit)                                                                                        \
    ((unit) == 1 ? __builtin_convertvector(squared, VECTOR(float, LINE_LANES))                                         \
                 : __builtin_convertvector(__builtin_convertvector(squared, VECTOR(double, LINE_LANES)) * (unit),      \
                                           VECTOR(float, LINE_LANES)))
#include "kernels/distance_lines.h"
#undef LINES
#undef ELEMENT
#undef INDEX
#undef LINE_LANES
#undef FLIP_MASK
#undef IN_UNITS

#define LINES(name) wide_##name
#define ELEMENT double
#define INDEX int64_t
#define LINE_LANES WIDE_LANES
#define FLIP_MASK(inside) ((inside) & INT64_MIN)
#define IN_UNITS(squared, unit) __builtin_convertvector((squared) * (unit), VECTOR(float, LINE_LANES))
#include "kernels/distance_lines.h"
#undef LINES
#undef ELEMENT
#undef INDEX
#undef LINE_LANES
#undef FLIP_MASK
#undef IN_UNITS

static void distance_block(const distance_job *job, const int32_t *steps, int64_t column, void *map, void *scratch) {
    if (job->metric.wide)
        wide_block(job, steps, column, map, scratch);
    else
        narrow_block(job, steps, column, map, scratch);
}

#endif
