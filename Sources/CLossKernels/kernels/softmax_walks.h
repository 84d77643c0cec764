// The walks over the blocks of a softmax's run. A walk's kind is a constant wherever one begins, so that each copy has
// only what it needs.
#ifndef CLOSS_KERNELS_SOFTMAX_WALKS_H
#define CLOSS_KERNELS_SOFTMAX_WALKS_H

#include "kernels/softmax_sums.h"

LANES_INLINE void check_maps(int classes, const run *at, vf32 *not_finite) {
    for (int c = 0; c < classes; c++)
        *not_finite = f32_fma(f32_load(at->maps + c * at->class_stride), f32_splat(0), *not_finite);
}

// A region's gradient waits for its sums: beside it these are known, and only losses are added up.
LANES_INLINE int adds_waiting_losses(int mode, int wants) {
    return wants & WANTS_REGION && mode == (MODE_TOTALS | MODE_GRADIENT);
}

LANES_INLINE int wants_region_sums(softmax_kind kind) {
    return kind.wants & WANTS_REGION && !adds_waiting_losses(kind.mode, kind.wants);
}

LANES_INLINE void softmax_one_block(const formula *f, softmax_kind kind, const run *at, const run_coefficients *k,
                                    const smoothing *smooth, const block_labels *labels, softmax_block *block,
                                    softmax_sums *sums) {
    exponentiate(f, kind, at, labels, block, &sums->not_finite);
    if (kind.mode & MODE_TOTALS) {
        if (kind.extras && f->maps) check_maps(kind.classes, at, &sums->not_finite);
        if (wants_region_sums(kind) && !f->weighted)
            total_region(kind, at, labels, block, sums);
        else if (f->counts && !kind.soft && !adds_waiting_losses(kind.mode, kind.wants))
            count_labels(kind.classes, labels, sums);
        if (wants_region_sums(kind) && f->weighted) total_weighted_region(kind, at, labels, block, sums);
        if (kind.wants & WANTS_POINTWISE) total_pointwise(f, kind, at, labels, block, sums);
        sums->blocks++;
    }
    if (kind.mode & MODE_GRADIENT) write_gradient(f, kind, at, k, smooth, labels, block);
}

// The formula of one plain cross entropy (if there is a pointwise term at all) with its choices as constants.
LANES_INLINE formula plain_formula(const formula *f, softmax_kind kind) {
    formula plain = {
        .classes = kind.classes, .counts = f->region, .pointwise_count = kind.wants & WANTS_POINTWISE ? 1 : 0};
    plain.pointwise[0] = (pointwise_formula){.kind = CLOSS_CROSS_ENTROPY, .plain = 1};
    return plain;
}

// Any run.
LANES_INLINE void softmax_blocks(const formula *f, softmax_kind kind, const run *whole, const run_coefficients *k,
                                 const smoothing *smooth, softmax_sums *sums) {
    if (whole->voxels == 0) return;
    vf32 exponentials[kind.classes], shares[kind.soft ? kind.classes : 1], slopes[kind.extras ? kind.classes : 1];
    softmax_block block = {.exponential = exponentials, .share = shares, .slope = slopes};
    formula plain;
    if (kind.plain) plain = plain_formula(f, kind);
    const formula *own = kind.plain ? &plain : f;
    FOR_EACH_BLOCK(whole, at, kind.classes, {
        block_labels labels = kind.soft ? check_dense_targets(f, &at, &sums->bad)
                                        : mixed_labels(decode_labels(f, &at, kind.classes, &sums->bad));
        sums->valid -= labels.valid;
        if (kind.wants & WANTS_POINTWISE || at.weights || f->weighted)
            block.weight = decode_weights(&at, labels.valid, &sums->bad);
        softmax_one_block(own, kind, &at, k, smooth, &labels, &block, sums);
        block.first += BLOCK_VOXELS;
    });
}

// A block of one label, the most common; of several; and, the least common, of some that do not count.
LANES_INLINE void simple_softmax_block(const formula *f, softmax_kind kind, const run *at, vu8 each, vu8 ignored,
                                       const run_coefficients *k, const smoothing *smooth, softmax_block *block,
                                       softmax_sums *sums) {
    if (byte_bits(ignored)) {
        vi32 counted = ~(__builtin_convertvector(ignored, vi32) != 0);
        block_labels labels = mixed_labels(i32_select(counted, __builtin_convertvector(each, vi32), i32_splat(-1)));
        if (kind.mode & MODE_TOTALS) sums->valid += ~counted; // the others are taken to count
        block->weight = f32_keep(counted, f32_splat(1));
        softmax_one_block(f, kind, at, k, smooth, &labels, block, sums);
        return;
    }
    block->weight = f32_splat(1);
    if (__builtin_reduce_and(each == each[0]) && each[0] < kind.classes) {
        block_labels labels = uniform_labels(each[0]);
        if (kind.mode & MODE_TOTALS) sums->of[labels.one].uniform_blocks++;
        softmax_one_block(f, kind, at, k, smooth, &labels, block, sums);
    } else {
        block_labels labels = {.each = __builtin_convertvector(each, vi32), .valid = i32_splat(-1)};
        softmax_one_block(f, kind, at, k, smooth, &labels, block, sums);
    }
}

// The logits of the block after this one, where that is a whole one and its classes lie apart.
LANES_INLINE const run *next_block(const run *at, const run *whole, int64_t offset, run *next) {
    if (whole->beside || offset + 2 * BLOCK_VOXELS > whole->voxels) return 0;
    *next = (run){.logits = logits_from(at->logits, at->logits_type, BLOCK_VOXELS),
                  .logits_type = at->logits_type,
                  .class_stride = at->class_stride};
    return next;
}

// What was read ahead is the block's, and its room is the next one's.
LANES_INLINE void turn_to_next(softmax_block *block) {
    vf32 *room = block->exponential;
    block->exponential = block->next_logit;
    block->next_logit = room;
    block->was_next = block->next != 0;
}

// The whole blocks of a simple run; gives back how many voxels that was.
LANES_INLINE int64_t simple_softmax_blocks(const formula *f, softmax_kind kind, const run *whole,
                                           const run_coefficients *k, const smoothing *smooth, softmax_sums *sums) {
    formula plain;
    if (kind.plain) plain = plain_formula(f, kind);
    const formula *own = kind.plain ? &plain : f;
    const int ignores = f->has_ignore_index && f->ignore_index == (uint8_t)f->ignore_index;
    const uint8_t ignore = (uint8_t)f->ignore_index;
    vf32 few[FEW_CLASSES], many[kind.classes > FEW_CLASSES ? (1 + kind.ahead) * kind.classes : 1];
    softmax_block block = {.exponential = kind.classes > FEW_CLASSES ? many : few};
    if (kind.ahead) block.next_logit = many + kind.classes;
    float apart[2 * BLOCK_VOXELS * (kind.classes > FEW_CLASSES ? CLASSES_TAKEN_APART : FEW_CLASSES)];
    int64_t offset = 0;
    for (; offset + BLOCK_VOXELS <= whole->voxels; offset += BLOCK_VOXELS) {
        run at = simple_block(whole, offset);
        if (whole->beside) take_apart(whole, offset, kind.classes, apart, &at);
        if (kind.floats) at.logits_type = at.gradient_type = CLOSS_FLOAT32;
        run next;
        if (kind.ahead) block.next = next_block(&at, whole, offset, &next);
        vu8 each = *(const vu8_anywhere *)at.targets, ignored = {0};
        if (ignores) ignored = (vu8)(each == ignore);
        if (kind.mode & MODE_TOTALS)
            sums->largest_label = __builtin_elementwise_max(each & ~ignored, sums->largest_label);
        simple_softmax_block(own, kind, &at, each, ignored, k, smooth, &block, sums);
        if (whole->beside && kind.mode & MODE_GRADIENT) put_together(whole, offset, kind.classes, apart);
        if (kind.ahead) turn_to_next(&block);
    }
    if (kind.mode & MODE_TOTALS) {
        sums->valid += (int32_t)(offset / BLOCK_VOXELS);
        if (any_byte_beyond(sums->largest_label, kind.classes)) sums->bad = i32_splat(-1);
    }
    return offset;
}

// The same in two copies: in a loop over many classes the choice of a type costs a tenth.
LANES_INLINE int64_t simple_softmax_blocks_by_type(const formula *f, softmax_kind kind, const run *whole,
                                                   const run_coefficients *k, const smoothing *smooth,
                                                   softmax_sums *sums) {
    if (!is_of_floats(whole)) return simple_softmax_blocks(f, kind, whole, k, smooth, sums);
    kind.floats = 1;
    return simple_softmax_blocks(f, kind, whole, k, smooth, sums);
}

// Whether the copies for plain losses know all that the formula asks for.
LANES_INLINE int is_plain(const formula *f) {
    const pointwise_formula *term = &f->pointwise[0];
    if (f->weighted || f->class_parts || f->ranks || f->lovasz) return 0;
    return f->pointwise_count == 0 || (f->pointwise_count == 1 && term->kind == CLOSS_CROSS_ENTROPY && term->plain);
}

LANES_INLINE int has_extras(const formula *f) {
    return f->smooths || f->per_channel || f->errors || f->class_parts || f->ranks || f->lovasz;
}

LANES_FUNCTION int softmax_in_place(const formula *f, closs_target target) {
    return target == CLOSS_LABELS_U8 && !f->weighted && !has_extras(f);
}

LANES_INLINE int walks_simply(const formula *f, const run *whole) {
    return is_simple(whole) && whole->voxels >= BLOCK_VOXELS && softmax_in_place(f, whole->target);
}

// Simple runs of plain losses have copies of the walk with the class count fixed, where the compiler makes the most of
// it. Other losses without extras have one for simple runs; so has the gradient of a region beside losses, which waits
// for those alone.
LANES_INLINE int64_t simple_by_classes(const formula *f, int wants, int mode, const run *whole,
                                       const run_coefficients *k, const smoothing *smooth, softmax_sums *sums) {
    softmax_kind kind = {.classes = f->classes, .wants = wants, .mode = mode};
    kind.holds = kind.ahead = f->classes >= MANY_CLASSES;
    if (mode == MODE_TOTALS && wants == WANTS_REGION) kind.bounded = f->bounded;
    if (adds_waiting_losses(mode, wants) || !is_plain(f) || f->squares) {
        kind.squares = f->squares;
        return simple_softmax_blocks_by_type(f, kind, whole, k, smooth, sums);
    }
    kind.plain = 1;
    if (mode == MODE_TOTALS && wants == WANTS_POINTWISE && f->classes > FEW_CLASSES && !kind.ahead) {
        // A copy that knows it: in the other a third of the time goes by waiting for what is not read ahead.
        kind.holds = kind.ahead = 0;
        return simple_softmax_blocks_by_type(f, kind, whole, k, smooth, sums);
    }
    if (f->classes > FEW_CLASSES) return simple_softmax_blocks_by_type(f, kind, whole, k, smooth, sums);
    kind.holds = 1;
    switch (f->classes) {
    case 2: kind.classes = 2; return simple_softmax_blocks(f, kind, whole, k, smooth, sums);
    case 3: kind.classes = 3; return simple_softmax_blocks(f, kind, whole, k, smooth, sums);
    default: kind.classes = 4; return simple_softmax_blocks(f, kind, whole, k, smooth, sums);
    }
}

// Runs of plain losses, by what these want.
LANES_INLINE void plain_softmax_walk(const formula *f, int wants, int mode, const run *whole, const run_coefficients *k,
                                     const smoothing *smooth, softmax_sums *sums) {
    softmax_kind kind = {.classes = f->classes, .wants = wants, .mode = mode, .squares = f->squares, .plain = 1};
    if (mode == MODE_TOTALS && wants == WANTS_REGION) kind.bounded = f->bounded;
    softmax_blocks(f, kind, whole, k, smooth, sums);
}

// All others: what they want is asked block by block, which costs nothing beside what they do.
LANES_INLINE void any_softmax_walk(const formula *f, int mode, const run *whole, const run_coefficients *k,
                                   const smoothing *smooth, softmax_sums *sums) {
    int wants = (f->region ? WANTS_REGION : 0) | (f->pointwise_count || f->ranks ? WANTS_POINTWISE : 0);
    softmax_kind kind = {.classes = f->classes, .wants = wants, .mode = mode, .squares = f->squares};
    if (target_is_dense(whole->target)) {
        kind.soft = kind.extras = 1;
        kind.minimum = f->minimum;
        softmax_blocks(f, kind, whole, k, smooth, sums);
    } else if (has_extras(f)) {
        kind.extras = 1;
        softmax_blocks(f, kind, whole, k, smooth, sums);
    } else {
        softmax_blocks(f, kind, whole, k, smooth, sums);
    }
}

// Calls a walk with what it wants as a constant. Where a region's gradient is written its sums are known: totals beside
// it are those of losses that were put off.
#define BY_WANTS(f, mode, walk, ...)                                                                                   \
    (!(f)->region ? walk(f, WANTS_POINTWISE, mode, __VA_ARGS__)                                                        \
     : (f)->pointwise_count || (mode) == (MODE_TOTALS | MODE_GRADIENT)                                                 \
         ? walk(f, WANTS_REGION | WANTS_POINTWISE, mode, __VA_ARGS__)                                                  \
         : walk(f, WANTS_REGION, mode, __VA_ARGS__))

LANES_INLINE void other_blocks(const formula *f, int mode, const run *whole, const run_coefficients *k,
                               const smoothing *smooth, softmax_sums *sums) {
    int waits = adds_waiting_losses(mode, f->region ? WANTS_REGION : 0);
    if (waits || !is_plain(f) || has_extras(f) || target_is_dense(whole->target))
        any_softmax_walk(f, mode, whole, k, smooth, sums);
    else
        BY_WANTS(f, mode, plain_softmax_walk, whole, k, smooth, sums);
}

// A mode's two walks, one after the other. They are large: together, the compiler takes twice as long for them.
#define WALKS_OF_MODE(name, mode)                                                                                      \
    LANES_OUTLINED int64_t simple_##name(const formula *f, const run *whole, const run_coefficients *k,                \
                                         const smoothing *smooth, softmax_sums *sums) {                                \
        return walks_simply(f, whole) ? BY_WANTS(f, mode, simple_by_classes, whole, k, smooth, sums) : 0;              \
    }                                                                                                                  \
    LANES_OUTLINED void other_##name(const formula *f, const run *whole, const run_coefficients *k,                    \
                                     const smoothing *smooth, softmax_sums *sums) {                                    \
        other_blocks(f, mode, whole, k, smooth, sums);                                                                 \
    }                                                                                                                  \
    static void walk_##name(const formula *f, const run *whole, const run_coefficients *k, const smoothing *smooth,    \
                            softmax_sums *sums) {                                                                      \
        run rest = run_from(whole, simple_##name(f, whole, k, smooth, sums));                                          \
        other_##name(f, &rest, k, smooth, sums);                                                                       \
    }

WALKS_OF_MODE(softmax_totals, MODE_TOTALS)
WALKS_OF_MODE(softmax_gradient, MODE_GRADIENT)
WALKS_OF_MODE(softmax_totals_and_gradient, MODE_TOTALS | MODE_GRADIENT)

LANES_FUNCTION fault softmax_totals(const formula *f, const run *whole, run_sums *out) {
    softmax_class classes[f->classes];
    softmax_sums sums;
    clear_softmax_sums(f, classes, &sums);
    formula unranked = *f; // a term that selects or ranks has no totals here
    unranked.ranks = RANKS_NOTHING;
    unranked.lovasz = LOVASZ_NOTHING;
    walk_softmax_totals(&unranked, whole, 0, 0, &sums);
    return finish_softmax_sums(f, whole, &sums, out);
}

LANES_FUNCTION void softmax_gradient(const formula *f, const run *whole, const run_coefficients *k,
                                     __int128 *balanced_loss) {
    (void)balanced_loss; // a softmax's are added up before
    float own[f->classes];
    smoothing smooth = gather_smoothing(f, k, own);
    softmax_sums unused;
    unused.bad = unused.valid = (vi32){0};
    walk_softmax_gradient(f, whole, k, &smooth, &unused);
}

LANES_FUNCTION fault softmax_totals_and_gradient(const formula *f, const run *whole, const run_coefficients *k,
                                                 run_sums *out) {
    softmax_class classes[f->classes];
    float own[f->classes];
    smoothing smooth = gather_smoothing(f, k, own);
    softmax_sums sums;
    clear_softmax_sums(f, classes, &sums);
    walk_softmax_totals_and_gradient(f, whole, k, &smooth, &sums);
    return finish_softmax_sums(f, whole, &sums, out);
}

#endif
