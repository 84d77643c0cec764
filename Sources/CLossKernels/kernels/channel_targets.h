// What a channel's targets say of one vector of values: which of them count, and what their targets and weights are.
//
// Most targets are 0 or 1, whatever type they come in. Walks over such targets read a block of 64 bytes of each thing
// and decide nothing: a mask that a run does not have is read from a block that stands for it.
#ifndef CLOSS_KERNELS_CHANNEL_TARGETS_H
#define CLOSS_KERNELS_CHANNEL_TARGETS_H

#include "kernels/block.h"
#include "kernels/channel_terms.h"

typedef VECTOR(int8_t, LANES) vs8;

LANES_INLINE int positive_label(const formula *f, const run *at) {
    return (int)channel_positive(at->target, f->classes, at->channel);
}

LANES_INLINE int label_count(const formula *f, const run *at) { return (int)channel_labels(at->target, f->classes); }

// Targets of one vector, and which of its values count; `bad` collects the lanes whose target cannot be.
LANES_INLINE void load_target(const formula *f, const run *at, channel_values *x, vi32 *bad) {
    vi32 counted = load_mask(at);
    if (at->target == CLOSS_DENSE_F32) {
        x->g = f32_load((const float *)at->targets);
        vi32 possible = f->balanced || f->lovasz ? (x->g == 0) | (x->g == 1) : (x->g >= 0) & (x->g <= 1);
        *bad |= counted & ~possible;
        x->positive = counted & (x->g == 1);
        x->g = f32_keep(counted, x->g);
    } else {
        vi32 ignored, label = load_labels(f, at, &ignored);
        counted &= ~ignored;
        *bad |= counted & ((label < 0) | (label >= label_count(f, at)));
        x->positive = counted & (label == positive_label(f, at));
        x->g = f32_keep(x->positive, f32_splat(1));
    }
    x->valid = counted;
    x->b = 1 - x->g;
}

// The same in a simple walk, which looks at the labels' range block by block.
LANES_INLINE void load_simple_target(const run *at, int positive_label, channel_values *x) {
    x->valid = i32_splat(-1);
    x->positive = load_bytes(at->targets) == positive_label;
    x->g = f32_keep(x->positive, f32_splat(1));
    x->b = 1 - x->g;
    x->weight = f32_splat(1);
}

// -------------------------------------------------------------------------------------------- targets of 0 or 1 ----

// How a hard walk reads its targets: as bytes, of which one is positive, one is ignored, and none is above the last.
typedef struct target_code {
    int is_code; // the bytes are those of encode_targets
    uint8_t positive, ignored, last;
    int ignores;
} target_code;

enum { CODE_NEGATIVE, CODE_POSITIVE, CODE_IGNORED, CODE_BAD };

LANES_INLINE target_code target_code_of(const formula *f, const run *whole) {
    int bytes = whole->target == CLOSS_LABELS_U8 || whole->target == CLOSS_DENSE_U8;
    if (!bytes) return (target_code){1, CODE_POSITIVE, CODE_IGNORED, CODE_IGNORED, 1};
    int count = label_count(f, whole);
    int ignores = f->has_ignore_index && f->ignore_index >= 0 && f->ignore_index <= UINT8_MAX;
    return (target_code){0, (uint8_t)positive_label(f, whole), ignores ? (uint8_t)f->ignore_index : 0,
                         count <= UINT8_MAX ? (uint8_t)(count - 1) : UINT8_MAX, ignores};
}

// Labels of other types as bytes.
LANES_OUTLINED void encode_targets(const formula *f, const run *at, vu8 *code) {
    vi32 ignored, label = load_labels(f, at, &ignored);
    vi32 bad = (label < 0) | (label >= label_count(f, at));
    vi32 found = i32_select(label == positive_label(f, at), i32_splat(CODE_POSITIVE), i32_splat(CODE_NEGATIVE));
    found = i32_select(bad, i32_splat(CODE_BAD), found);
    *code = __builtin_convertvector(i32_select(ignored, i32_splat(CODE_IGNORED), found), vu8);
}

LANES_INLINE vi32 widened_mask(vu8 mask) { return __builtin_convertvector((vs8)mask, vi32); }

// Which lanes had a target or a weight that cannot be; how many values count, and how many of them are positive.
typedef struct hard_counts {
    vu8 refused;
    int64_t valid, positive;
} hard_counts;

// Targets of 0 or 1 in bytes, with a mask.
LANES_INLINE void load_hard_target(const run *at, const target_code *code, channel_values *x, hard_counts *counts) {
    vu8 target = *(const vu8_anywhere *)at->targets;
    vu8 ignored = (vu8)(target == code->ignored) & (uint8_t)-code->ignores;
    vu8 valid = (vu8)(*(const vu8_anywhere *)at->mask != 0) & ~ignored;
    vu8 positive = valid & (vu8)(target == code->positive);
    counts->refused |= valid & (vu8)(target > code->last);
    counts->valid += __builtin_popcountll(byte_bits(valid));
    counts->positive += __builtin_popcountll(byte_bits(positive));
    x->valid = widened_mask(valid);
    x->positive = widened_mask(positive);
    x->g = f32_keep(x->positive, f32_splat(1));
    x->b = 1 - x->g;
    x->weight = f32_splat(1); // not 0 where a value does not count: its loss and slope are dropped
}

LANES_INLINE void load_hard_weights(const run *at, channel_values *x, hard_counts *counts) {
    vf32 weight = f32_load(at->weights);
    vi32 possible = (weight >= 0) & (weight < __builtin_inff());
    counts->refused |= ~(vu8) __builtin_convertvector(possible, vs8);
    x->weight = f32_keep(x->valid, weight);
}

// Blocks that stand for what a run does not have, or not in the way that a hard walk reads it.
typedef struct stand_ins {
    vf32 zeros;
    vu8 mask, targets;
} stand_ins;

#define STAND_INS ((stand_ins){.mask = (vu8){0} + 1})

LANES_INLINE int has_hard_blocks(const formula *f, const run *whole) {
    return whole->target != CLOSS_DENSE_F32 && !whole->layout && positive_label(f, whole) <= UINT8_MAX;
}

// A whole block of a run with targets of 0 or 1.
LANES_INLINE run hard_block(const formula *f, const run *whole, const target_code *code, int64_t offset,
                            stand_ins *other) {
    run at = *whole;
    at.logits = logits_from(whole->logits, whole->logits_type, offset);
    at.targets = (const char *)whole->targets + (size_t)offset * target_bytes(whole->target);
    if (code->is_code) {
        const run here = at; // a run whose address was handed on would be kept in memory, pointers and all
        encode_targets(f, &here, &other->targets);
        at.targets = &other->targets;
    }
    at.mask = whole->mask ? whole->mask + offset : (const uint8_t *)&other->mask;
    if (whole->weights) at.weights += offset;
    at.maps = whole->maps ? whole->maps + offset : (const float *)&other->zeros;
    at.distance_maps = distances_from(whole, offset);
    at.gradient = gradient_from(whole->gradient, whole->gradient_type, offset);
    at.voxels = BLOCK_VOXELS;
    return at;
}

#endif
