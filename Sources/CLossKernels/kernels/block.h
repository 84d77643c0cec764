// A block of 64 voxels as lanes: which voxels count, what their targets are, and how the last block of a sample is
// filled up (arithmetic 3 and 6.1).
#ifndef CLOSS_KERNELS_BLOCK_H
#define CLOSS_KERNELS_BLOCK_H

#include <string.h>

#include "kernels/formula.h"
#include "kernels/lanes.h"

enum { BLOCK_VECTORS = BLOCK_VOXELS / LANES };

typedef struct block_labels {
    i32x16 label[BLOCK_VECTORS]; // -1 where the voxel does not count
} block_labels;

LANES_INLINE size_t target_size(closs_target target) {
    switch (target) {
    case CLOSS_LABELS_U16: return 2;
    case CLOSS_LABELS_I32: case CLOSS_DENSE_F32: return 4;
    case CLOSS_LABELS_I64: return 8;
    default: return 1;
    }
}

// The rest of a run, `offset` voxels on.
LANES_INLINE run run_from(const run *whole, int64_t offset) {
    run rest = *whole;
    rest.logits += offset;
    rest.targets = (const char *)whole->targets + (size_t)offset * target_size(whole->target);
    if (rest.mask) rest.mask += offset;
    if (rest.weights) rest.weights += offset;
    if (rest.gradient) rest.gradient += offset;
    rest.voxels -= offset;
    return rest;
}

// What most runs are: one byte a label, no mask, no weights, no ignore index. The walks have copies for them, in which
// that is known and no choice is left in the loop.
LANES_INLINE int is_simple(const formula *f, const run *whole) {
    return (whole->target == CLOSS_LABELS_U8 || whole->target == CLOSS_DENSE_U8) && !whole->mask && !whole->weights &&
           !f->has_ignore_index;
}

// A whole block of a simple run.
LANES_INLINE run simple_block(const run *whole, int64_t offset) {
    return (run){
        .logits = whole->logits + offset,
        .class_stride = whole->class_stride,
        .channel = whole->channel,
        .target = whole->target == CLOSS_DENSE_U8 ? CLOSS_DENSE_U8 : CLOSS_LABELS_U8,
        .targets = (const uint8_t *)whole->targets + offset,
        .gradient = whole->gradient ? whole->gradient + offset : 0,
        .store = whole->store,
        .voxels = BLOCK_VOXELS,
    };
}

LANES_INLINE i32x16 lane_numbers(void) { return (i32x16){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}; }

// Lanes of vector v that lie inside the run.
LANES_INLINE i32x16 lanes_inside(const run *at, int v) {
    if (at->voxels >= BLOCK_VOXELS) return i32_splat(-1);
    return lane_numbers() < (int32_t)at->voxels - v * LANES;
}

LANES_INLINE i32x16 load_bytes(const uint8_t *from) {
    return __builtin_convertvector(*(const u8x16_unaligned *)from, i32x16);
}

// The largest of a block's bytes so far, lane by lane: one instruction a block tells whether a label is no class.
LANES_INLINE u8x64 largest_bytes(const run *at, u8x64 largest) {
    u8x64 labels = *(const u8x64_unaligned *)at->targets;
    return __builtin_elementwise_max(labels, largest);
}

// 16 labels as int32, with -2 for whatever no class can be; `ignored` gets the lanes that hold the ignore index.
LANES_INLINE i32x16 load_labels(const formula *f, const run *at, int v, i32x16 *ignored) {
    typedef uint16_t u16x16_unaligned __attribute__((vector_size(32), aligned(1), may_alias));
    typedef int64_t i64x16_unaligned __attribute__((vector_size(128), aligned(1), may_alias));
    if (at->target == CLOSS_LABELS_I64) {
        i64x16 wide = *(const i64x16_unaligned *)((const int64_t *)at->targets + v * LANES);
        i64x16 possible = (wide >= 0) & (wide < CLOSS_MAX_CLASSES);
        *ignored = i32_splat(f->has_ignore_index ? -1 : 0) & __builtin_convertvector(wide == f->ignore_index, i32x16);
        return __builtin_convertvector((wide & possible) | (-2 & ~possible), i32x16);
    }
    i32x16 label;
    switch (at->target) {
    case CLOSS_LABELS_U16:
        label = __builtin_convertvector(
            *(const u16x16_unaligned *)((const uint16_t *)at->targets + v * LANES), i32x16);
        break;
    case CLOSS_LABELS_I32: label = i32_load((const int32_t *)at->targets + v * LANES); break;
    default: label = load_bytes((const uint8_t *)at->targets + v * LANES); break;
    }
    int comparable = f->has_ignore_index && f->ignore_index == (int32_t)f->ignore_index;
    *ignored = i32_splat(comparable ? -1 : 0) & (label == (int32_t)f->ignore_index);
    return label;
}

// The voxels that the mask, if any, and the run's end leave.
LANES_INLINE i32x16 load_mask(const run *at, int v) {
    i32x16 inside = lanes_inside(at, v);
    return at->mask ? inside & (load_bytes(at->mask + v * LANES) != 0) : inside;
}

// Labels of a block; `bad` collects lanes whose label is neither a class nor ignored. Under the mask a label may be
// anything.
LANES_INLINE block_labels decode_labels(const formula *f, const run *at, int classes, i32x16 *bad) {
    block_labels block;
    for (int v = 0; v < BLOCK_VECTORS; v++) {
        i32x16 ignored;
        i32x16 label = load_labels(f, at, v, &ignored);
        i32x16 counted = load_mask(at, v) & ~ignored;
        *bad |= counted & ((label < 0) | (label >= classes));
        block.label[v] = i32_select(counted, label, i32_splat(-1));
    }
    return block;
}

// Weights of 16 voxels, +0 where they do not count; `bad` collects the negative and the non-finite.
LANES_INLINE f32x16 decode_weights(const run *at, int v, i32x16 valid, i32x16 *bad) {
    if (!at->weights) return f32_keep(valid, f32_splat(1));
    f32x16 weight = f32_load(at->weights + v * LANES);
    *bad |= ~((weight >= 0) & (weight < __builtin_inff())) & lanes_inside(at, v);
    return f32_keep(valid, weight);
}

// Stores 16 gradients as the run asks.
LANES_INLINE void store_gradient(float *to, f32x16 value, gradient_store store) {
    if (store == STORE_STREAMING)
        __builtin_nontemporal_store(value, (f32x16 *)to);
    else
        f32_store(to, store == STORE_ADD ? f32_load(to) + value : value);
}

// The last voxels of a sample in buffers of a whole block, so that they go through the same code as all others. The
// lanes past the end hold zeros and do not count.
typedef struct padded_block {
    uint64_t targets[BLOCK_VOXELS];
    uint8_t mask[BLOCK_VOXELS];
    float weights[BLOCK_VOXELS];
    float logits[CLOSS_MAX_CLASSES * BLOCK_VOXELS];
    float gradient[CLOSS_MAX_CLASSES * BLOCK_VOXELS];
} padded_block;

static inline run padded_run(const run *rest, int classes, padded_block *pad) {
    size_t voxels = (size_t)rest->voxels;
    run padded = *rest;
    memset(pad->targets, 0, sizeof pad->targets);
    memcpy(pad->targets, rest->targets, voxels * target_size(rest->target));
    padded.targets = pad->targets;
    if (rest->mask) padded.mask = memcpy(memset(pad->mask, 0, sizeof pad->mask), rest->mask, voxels);
    if (rest->weights)
        padded.weights = memcpy(memset(pad->weights, 0, sizeof pad->weights), rest->weights, voxels * sizeof(float));
    for (int c = 0; c < classes; c++) {
        float *logits = pad->logits + c * BLOCK_VOXELS, *gradient = pad->gradient + c * BLOCK_VOXELS;
        memcpy(memset(logits, 0, BLOCK_VOXELS * sizeof(float)), rest->logits + c * rest->class_stride,
               voxels * sizeof(float));
        if (rest->gradient && rest->store == STORE_ADD)
            memcpy(memset(gradient, 0, BLOCK_VOXELS * sizeof(float)), rest->gradient + c * rest->class_stride,
                   voxels * sizeof(float));
    }
    padded.logits = pad->logits;
    padded.class_stride = BLOCK_VOXELS;
    if (rest->gradient) padded.gradient = pad->gradient;
    if (rest->store == STORE_STREAMING) padded.store = STORE_PLAIN;
    return padded;
}

static inline void copy_back(const run *rest, int classes, const padded_block *pad) {
    if (!rest->gradient) return;
    for (int c = 0; c < classes; c++)
        memcpy(rest->gradient + c * rest->class_stride, pad->gradient + c * BLOCK_VOXELS,
               (size_t)rest->voxels * sizeof(float));
}

// Walks a run block by block as `at`; the last block is filled up first, and what the body wrote of a gradient there is
// taken back.
#define FOR_EACH_BLOCK(whole, at, classes, ...)                                                                        \
    do {                                                                                                               \
        int64_t offset = 0;                                                                                            \
        for (; offset + BLOCK_VOXELS <= (whole)->voxels; offset += BLOCK_VOXELS) {                                     \
            run at = run_from(whole, offset);                                                                          \
            at.voxels = BLOCK_VOXELS;                                                                                  \
            __VA_ARGS__;                                                                                               \
        }                                                                                                              \
        if (offset < (whole)->voxels) {                                                                                \
            padded_block pad;                                                                                          \
            run rest = run_from(whole, offset);                                                                        \
            run at = padded_run(&rest, classes, &pad);                                                                 \
            __VA_ARGS__;                                                                                               \
            copy_back(&rest, classes, &pad);                                                                           \
        }                                                                                                              \
    } while (0)

#endif
