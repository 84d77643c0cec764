// A block of 64 voxels, one vector: which voxels count, what their targets are, and how the last block of a sample is
// filled up (arithmetic 3 and 6.1).
#ifndef CLOSS_KERNELS_BLOCK_H
#define CLOSS_KERNELS_BLOCK_H

#include <string.h>

#include "kernels/formula.h"
#include "kernels/lanes.h"
#include "kernels/stage.h"

_Static_assert((int)LANES == (int)BLOCK_VOXELS, "a block is one vector");

// What a walk does: total its run, write the gradient, and add up the losses that a balanced term takes.
enum { MODE_TOTALS = 1, MODE_GRADIENT = 2, MODE_BALANCED_LOSS = 4 };

// How far apart the voxels of a run without a layout lie.
LANES_INLINE int64_t logits_column(const run *r) { return r->beside ? r->beside->logits.column : 1; }

LANES_INLINE int64_t gradient_column(const run *r) { return r->beside ? r->beside->gradient.column : 1; }

// The rest of a run, `offset` voxels on.
LANES_INLINE run run_from(const run *whole, int64_t offset) {
    run rest = *whole;
    rest.distance_maps = distances_from(whole, offset);
    if (rest.lovasz_slopes) rest.lovasz_slopes += offset;
    if (rest.layout) {
        rest.first += offset;
        rest.voxels -= offset;
        return rest;
    }
    rest.logits = logits_from(rest.logits, rest.logits_type, offset * logits_column(whole));
    rest.targets = (const char *)whole->targets + (size_t)offset * target_bytes(whole->target);
    if (rest.mask) rest.mask += offset;
    if (rest.weights) rest.weights += offset;
    if (rest.maps) rest.maps += offset;
    rest.gradient = gradient_from(rest.gradient, rest.gradient_type, offset * gradient_column(whole));
    rest.voxels -= offset;
    return rest;
}

// ------------------------------------------------------------------------------------------------------ loads ----

// Lanes that lie inside the run.
LANES_INLINE vi32 lanes_inside(const run *at) {
    if (at->voxels >= BLOCK_VOXELS) return i32_splat(-1);
    return lane_numbers() < (int32_t)at->voxels;
}

LANES_INLINE vi32 load_bytes(const void *from) { return __builtin_convertvector(*(const vu8_anywhere *)from, vi32); }

// Labels as int32, with -2 for whatever no class can be; `ignored` gets the lanes that hold the ignore index.
LANES_INLINE vi32 load_labels(const formula *f, const run *at, vi32 *ignored) {
    if (at->target == CLOSS_LABELS_I64) {
        vi64 wide = *(const vi64_anywhere *)at->targets;
        vi64 possible = (wide >= 0) & (wide < CLOSS_MAX_CLASSES);
        *ignored = i32_splat(f->has_ignore_index ? -1 : 0) & __builtin_convertvector(wide == f->ignore_index, vi32);
        return __builtin_convertvector((wide & possible) | (-2 & ~possible), vi32);
    }
    vi32 label;
    switch (at->target) {
    case CLOSS_LABELS_U16: label = __builtin_convertvector(*(const vu16_anywhere *)at->targets, vi32); break;
    case CLOSS_LABELS_I32: label = *(const vi32_anywhere *)at->targets; break;
    default: label = load_bytes(at->targets); break;
    }
    int comparable = f->has_ignore_index && f->ignore_index == (int32_t)f->ignore_index;
    *ignored = i32_splat(comparable ? -1 : 0) & (label == (int32_t)f->ignore_index);
    return label;
}

// The voxels that the mask, if any, and the run's end leave.
LANES_INLINE vi32 load_mask(const run *at) {
    vi32 inside = lanes_inside(at);
    return at->mask ? inside & (load_bytes(at->mask) != 0) : inside;
}

// Labels of a block, -1 where the voxel does not count; `bad` collects lanes whose label is neither a class nor
// ignored. Under the mask a label may be anything.
LANES_INLINE vi32 decode_labels(const formula *f, const run *at, int classes, vi32 *bad) {
    vi32 ignored;
    vi32 label = load_labels(f, at, &ignored);
    vi32 counted = load_mask(at) & ~ignored;
    *bad |= counted & ((label < 0) | (label >= classes));
    return i32_select(counted, label, i32_splat(-1));
}

// Weights of a block, +0 where they do not count; `bad` collects the negative and the non-finite.
LANES_INLINE vf32 decode_weights(const run *at, vi32 valid, vi32 *bad) {
    if (!at->weights) return f32_keep(valid, f32_splat(1));
    vf32 weight = f32_load(at->weights);
    *bad |= ~((weight >= 0) & (weight < __builtin_inff())) & lanes_inside(at);
    return f32_keep(valid, weight);
}

enum { PREFETCH_VOXELS = 1024 };

// Asks for the logits of a block that is to come: a core's own prefetching stops at each page, and a simple walk is
// faster than it starts again. What lies past the end of the logits is asked for too, and never read.
LANES_INLINE void prefetch_ahead(const run *at) {
    const size_t bytes = float_bytes(at->logits_type);
    uintptr_t ahead = (uintptr_t)at->logits + PREFETCH_VOXELS * bytes;
    for (size_t line = 0; line < BLOCK_VOXELS * bytes; line += 64) __builtin_prefetch((const void *)(ahead + line));
}

// The same for this block's logits of a class whose turn comes soon.
enum { CLASSES_AHEAD = 6 };

LANES_INLINE void prefetch_class(const run *at, int c) {
    const size_t bytes = float_bytes(at->logits_type);
    uintptr_t ahead = (uintptr_t)at->logits + (size_t)(c * at->class_stride) * bytes;
    for (size_t line = 0; line < BLOCK_VOXELS * bytes; line += 64) __builtin_prefetch((const void *)(ahead + line));
}

// The same for the next block's logits of one class, while another is computed: of many classes side by side a core
// prefetches none by itself. Beside logits that are read ahead, the nearest cache would not keep them until then.
LANES_INLINE void prefetch_next_block(const run *at, int c, int only_nearer) {
    const size_t bytes = float_bytes(at->logits_type);
    uintptr_t ahead = (uintptr_t)at->logits + (size_t)(c * at->class_stride + BLOCK_VOXELS) * bytes;
    for (size_t line = 0; line < BLOCK_VOXELS * bytes; line += 64) {
        if (only_nearer)
            __builtin_prefetch((const void *)(ahead + line), 0, 1);
        else
            __builtin_prefetch((const void *)(ahead + line));
    }
}

// The same for the next block where classes stand side by side: one class's share of it, whichever classes are there.
LANES_INLINE void prefetch_beside(const run *at, int c) {
    for (size_t line = 0; line < at->ahead_bytes; line += 64)
        __builtin_prefetch((const void *)(at->ahead + (size_t)c * at->ahead_bytes + line));
}

// ----------------------------------------------------------------------------------------------------- stores ----

typedef vf32 vf32_lines __attribute__((aligned(64)));
typedef vu16 vu16_lines __attribute__((aligned(64)));

// Stores a block of gradients as the run asks; streaming, it is whole cache lines.
LANES_INLINE void store_gradient(const run *at, int64_t offset, vf32 value) {
    float *to = gradient_from(at->gradient, at->gradient_type, offset);
    if (at->store == STORE_ADD) value = load_floats(to, at->gradient_type) + value;
    if (at->gradient_type != CLOSS_FLOAT32) {
        vu16 narrow = narrowed_block(value, at->gradient_type, at->store != STORE_ADD);
        if (at->store == STORE_STREAMING)
            __builtin_nontemporal_store(narrow, (vu16_lines *)to);
        else
            *(vu16_anywhere *)to = narrow;
    } else if (at->store == STORE_STREAMING) {
        __builtin_nontemporal_store(value, (vf32_lines *)to);
    } else {
        f32_store(to, value);
    }
}

// ------------------------------------------------------------------------------------------------ simple runs ----

// What most runs are: one byte a label, no mask, no weights, nothing that must be staged. The walks have
// copies for them, in which that is known and no choice is left in the loop.
LANES_INLINE int is_simple(const run *whole) {
    int bytes = whole->target == CLOSS_LABELS_U8 || whole->target == CLOSS_DENSE_U8;
    return bytes && !whole->mask && !whole->weights && !whole->layout;
}

// A whole block of a simple run.
LANES_INLINE run simple_block(const run *whole, int64_t offset) {
    return (run){
        .logits = logits_from(whole->logits, whole->logits_type, offset),
        .class_stride = whole->class_stride,
        .channel = whole->channel,
        .target = whole->target == CLOSS_DENSE_U8 ? CLOSS_DENSE_U8 : CLOSS_LABELS_U8,
        .targets = (const uint8_t *)whole->targets + offset,
        .gradient = gradient_from(whole->gradient, whole->gradient_type, offset),
        .store = whole->store,
        .voxels = BLOCK_VOXELS,
        .logits_type = whole->logits_type,
        .gradient_type = whole->gradient_type,
    };
}

// The block's classes one after another in `apart`, [2][classes][BLOCK_VOXELS], where they stand side by side: block by
// block, what is read and written stays in the nearest cache.
LANES_INLINE void take_apart(const run *whole, int64_t offset, int classes, float *apart, run *at) {
    const run rest = run_from(whole, offset);
    gather_interleaved(apart, BLOCK_VOXELS, rest.logits, &rest.beside->logits, classes, BLOCK_VOXELS);
    at->logits = apart;
    size_t bytes = BLOCK_VOXELS * (size_t)rest.beside->logits.column * rest.beside->logits.bytes;
    at->ahead = (uintptr_t)rest.logits + bytes;
    at->ahead_bytes = bytes / (size_t)classes;
    at->class_stride = BLOCK_VOXELS;
    at->logits_type = at->gradient_type = CLOSS_FLOAT32;
    if (!rest.gradient) return;
    at->gradient = apart + classes * BLOCK_VOXELS;
    at->store = rest.store == STORE_ADD ? STORE_ADD : STORE_PLAIN;
    if (rest.store == STORE_ADD)
        gather_interleaved(at->gradient, BLOCK_VOXELS, rest.gradient, &rest.beside->gradient, classes, BLOCK_VOXELS);
}

// Takes the block's gradient back.
LANES_INLINE void put_together(const run *whole, int64_t offset, int classes, const float *apart) {
    const run rest = run_from(whole, offset);
    scatter_interleaved(rest.gradient, &rest.beside->gradient, apart + classes * BLOCK_VOXELS, BLOCK_VOXELS, classes,
                        BLOCK_VOXELS, rest.store == STORE_STREAMING);
}

// Whether the blocks of a simple run are floats, where they lie or taken apart.
LANES_INLINE int is_of_floats(const run *whole) {
    return whole->beside || (whole->logits_type == CLOSS_FLOAT32 && whole->gradient_type == CLOSS_FLOAT32);
}

// The largest of a simple run's labels so far, lane by lane: one instruction a block tells whether a label is no class.
LANES_INLINE vu8 larger_bytes(const run *at, vu8 largest) {
    return __builtin_elementwise_max(*(const vu8_anywhere *)at->targets, largest);
}

LANES_INLINE int any_byte_beyond(vu8 largest, int classes) { return __builtin_reduce_max(largest) >= classes; }

// ------------------------------------------------------------------------------------------------- last blocks ----

// The last voxels of a sample in buffers of a whole block, so that they go through the same code as all others. The
// lanes past the end hold zeros and do not count.
typedef struct padded_block {
    uint64_t targets[BLOCK_VOXELS];
    uint8_t mask[BLOCK_VOXELS];
    float weights[BLOCK_VOXELS];
    // [classes][BLOCK_VOXELS]; maps only where the run has them, dense only where several classes have dense targets
    float *logits, *gradient, *maps, *dense;
} padded_block;

static inline void pad_values(const run *rest, int classes, padded_block *pad) {
    const run_layout *beside = rest->beside;
    const int adds = rest->gradient && rest->store == STORE_ADD;
    if (beside) {
        gather_interleaved(pad->logits, BLOCK_VOXELS, rest->logits, &beside->logits, classes, rest->voxels);
        if (adds)
            gather_interleaved(pad->gradient, BLOCK_VOXELS, rest->gradient, &beside->gradient, classes, rest->voxels);
        return;
    }
    for (int c = 0; c < classes; c++) {
        int64_t offset = c * rest->class_stride;
        widen(pad->logits + c * BLOCK_VOXELS, logits_from(rest->logits, rest->logits_type, offset), rest->logits_type,
              rest->voxels);
        if (adds)
            widen(pad->gradient + c * BLOCK_VOXELS, gradient_from(rest->gradient, rest->gradient_type, offset),
                  rest->gradient_type, rest->voxels);
    }
}

static inline run padded_run(const run *rest, int classes, padded_block *pad) {
    run whole_block = *rest;
    if (rest->voxels > BLOCK_VOXELS) whole_block.voxels = BLOCK_VOXELS;
    rest = &whole_block;
    size_t voxels = (size_t)rest->voxels, values = (size_t)classes * BLOCK_VOXELS;
    run padded = *rest;
    size_t bytes = target_bytes(rest->target), stride = (size_t)rest->class_stride * bytes;
    int rows = classes > 1 && target_is_dense(rest->target) ? classes : 1;
    char *targets = rows > 1 ? (char *)pad->dense : (char *)pad->targets;
    memset(targets, 0, (size_t)rows * BLOCK_VOXELS * bytes);
    for (int c = 0; c < rows; c++)
        memcpy(targets + (size_t)c * BLOCK_VOXELS * bytes, (const char *)rest->targets + (size_t)c * stride,
               voxels * bytes);
    padded.targets = targets;
    if (rest->mask) padded.mask = memcpy(memset(pad->mask, 0, sizeof pad->mask), rest->mask, voxels);
    if (rest->weights)
        padded.weights = memcpy(memset(pad->weights, 0, sizeof pad->weights), rest->weights, voxels * sizeof(float));
    memset(pad->logits, 0, values * sizeof(float));
    memset(pad->gradient, 0, values * sizeof(float));
    pad_values(rest, classes, pad);
    if (rest->maps) {
        padded.maps = memset(pad->maps, 0, values * sizeof(float));
        for (int c = 0; c < classes; c++)
            memcpy(pad->maps + c * BLOCK_VOXELS, rest->maps + c * rest->class_stride, voxels * sizeof(float));
    }
    padded.logits = pad->logits;
    padded.class_stride = BLOCK_VOXELS;
    if (rest->gradient) padded.gradient = pad->gradient;
    if (rest->store == STORE_STREAMING) padded.store = STORE_PLAIN;
    return padded;
}

// The last block of a sample, and any block whose elements are not floats or not class by class.
static inline int is_padded(const run *rest) {
    int narrow = rest->logits_type != CLOSS_FLOAT32 || (rest->gradient && rest->gradient_type != CLOSS_FLOAT32);
    return rest->voxels < BLOCK_VOXELS || narrow || rest->beside;
}

static inline void copy_back(const run *rest, int classes, const padded_block *pad) {
    if (!rest->gradient) return;
    int64_t voxels = rest->voxels < BLOCK_VOXELS ? rest->voxels : BLOCK_VOXELS;
    if (rest->beside) {
        scatter_interleaved(rest->gradient, &rest->beside->gradient, pad->gradient, BLOCK_VOXELS, classes, voxels, 0);
        return;
    }
    for (int c = 0; c < classes; c++)
        narrow(gradient_from(rest->gradient, rest->gradient_type, c * rest->class_stride), rest->gradient_type,
               pad->gradient + c * BLOCK_VOXELS, voxels, 0);
}

// Walks a run block by block as `at`; the last block is filled up first, and what the body wrote of a gradient there is
// taken back. Blocks of a run with a layout are staged one by one.
#define FOR_EACH_BLOCK(whole, at, classes, ...)                                                                        \
    FOR_EACH_PIECE(whole, piece_, classes, BLOCK_VOXELS, FOR_EACH_PLAIN_BLOCK(&piece_, at, classes, __VA_ARGS__))

#define FOR_EACH_PLAIN_BLOCK(whole, at, classes, ...)                                                                  \
    do {                                                                                                               \
        int extra_ = ((whole)->maps != 0) + ((classes) > 1 && target_is_dense((whole)->target));                       \
        float pad_values_[(2 + extra_) * (classes) * BLOCK_VOXELS];                                                    \
        padded_block pad_ = {.logits = pad_values_,                                                                    \
                             .gradient = pad_values_ + (classes) * BLOCK_VOXELS,                                       \
                             .maps = pad_values_ + 2 * (classes) * BLOCK_VOXELS,                                       \
                             .dense = pad_values_ + (1 + extra_) * (classes) * BLOCK_VOXELS};                          \
        for (int64_t offset_ = 0; offset_ < (whole)->voxels; offset_ += BLOCK_VOXELS) {                                \
            run at = run_from(whole, offset_);                                                                         \
            const run rest_ = at;                                                                                      \
            const int padded_ = is_padded(&rest_);                                                                     \
            if (padded_)                                                                                               \
                at = padded_run(&rest_, classes, &pad_);                                                               \
            else                                                                                                       \
                at.voxels = BLOCK_VOXELS;                                                                              \
            at.logits_type = at.gradient_type = CLOSS_FLOAT32;                                                         \
            at.beside = 0;                                                                                             \
            __VA_ARGS__;                                                                                               \
            if (padded_) copy_back(&rest_, classes, &pad_);                                                            \
        }                                                                                                              \
    } while (0)

#endif
