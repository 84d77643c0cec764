/* The buffers of a problem's batch. */
#include "inputs.h"
#include "memory.h"
#include "problem.h"

/* Terms that ask the dense targets of a softmax to be distributions. */
static int needs_labels(const problem *p) {
    for (size_t i = 0; i < p->spec.term_count; i++)
        if (p->terms[i].kind == CLOSS_CROSS_ENTROPY || p->terms[i].kind == CLOSS_FOCAL ||
            p->terms[i].kind == CLOSS_TOP_K || p->terms[i].kind == CLOSS_OHEM)
            return p->spec.activation == CLOSS_SOFTMAX;
    return 0;
}

/* Terms for which voxel weights are nothing, and targets between 0 and 1 neither. */
static int needs_hard_targets(const problem *p) {
    for (size_t i = 0; i < p->spec.term_count; i++) {
        closs_term_kind kind = p->terms[i].kind;
        if (kind == CLOSS_BALANCED_BINARY_CROSS_ENTROPY || kind == CLOSS_OHEM || kind == CLOSS_BALANCED_L1 ||
            is_lovasz(kind))
            return 1;
    }
    return 0;
}

static void draw_targets(problem *p, random_numbers *r) {
    static const char *NAMES[] = {"u8", "u16", "i32", "i64", "dense-u8", "dense-f32"};
    closs_target target = (closs_target)(CLOSS_LABELS_U8 + below(r, needs_labels(p) ? 4 : 6));
    int64_t classes = p->spec.shape.classes, labels = classes == 1 ? 2 : classes;
    if (target == CLOSS_LABELS_U8 && labels > 255) target = CLOSS_LABELS_U16;
    int is_hard = needs_hard_targets(p);
    int may_ignore = p->spec.activation == CLOSS_SOFTMAX ? !is_dense(target) : target != CLOSS_DENSE_F32;
    p->spec.has_ignore_index = may_ignore && one_in(r, 2);
    p->spec.ignore_index = target == CLOSS_LABELS_I32 || target == CLOSS_LABELS_I64 ? -1 - below(r, 100) : 255;
    if (target == CLOSS_LABELS_U16) p->spec.ignore_index = 65535;
    size_t count = is_dense(target) ? p->values : p->voxels;
    p->targets = allocate(count, target_bytes(target));
    for (size_t i = 0; i < count; i++) {
        if (target == CLOSS_DENSE_F32)
            ((float *)p->targets)[i] = is_hard ? (float)below(r, 2) : draw_probability(r, (int)below(r, 3));
        else if (p->spec.has_ignore_index && one_in(r, 8))
            set_label(p->targets, target, i, p->spec.ignore_index);
        else
            set_label(p->targets, target, i, below(r, is_dense(target) ? 2 : labels));
    }
    p->batch.target = target;
    p->batch.targets = p->targets;
    p->batch.targets_count = count;
    add_to_name(p, " %s%s", NAMES[target - CLOSS_LABELS_U8], p->spec.has_ignore_index ? " ignore" : "");
}

static void draw_mask_and_weights(problem *p, random_numbers *r) {
    if (one_in(r, 3)) {
        p->mask = allocate(p->voxels, 1);
        for (size_t i = 0; i < p->voxels; i++) p->mask[i] = one_in(r, 4) ? 0 : (uint8_t)(1 + below(r, 255));
        p->batch.mask = p->mask;
        p->batch.mask_count = p->voxels;
        add_to_name(p, " mask");
    }
    if (!needs_hard_targets(p) && one_in(r, 3)) {
        p->weights = allocate(p->voxels, sizeof *p->weights);
        for (size_t i = 0; i < p->voxels; i++) p->weights[i] = one_in(r, 8) ? 0 : (float)below(r, 1 << 12) * 0x1p-9f;
        p->batch.weights = p->weights;
        p->batch.weights_count = p->voxels;
        add_to_name(p, " weights");
    }
}

static void draw_maps(problem *p, random_numbers *r) {
    int wanted = 0;
    for (size_t i = 0; i < p->spec.term_count; i++)
        wanted |= p->terms[i].kind == CLOSS_LINEAR_MAP || p->terms[i].kind == CLOSS_BALANCED_L1;
    if (!wanted) return;
    p->maps = allocate(p->values, sizeof *p->maps);
    for (size_t i = 0; i < p->values; i++) p->maps[i] = (float)(below(r, 1 << 16) - (1 << 15)) * 0x1p-9f;
    p->batch.maps = p->maps;
    p->batch.maps_count = p->values;
}

static void draw_logits(problem *p, random_numbers *r) {
    int kind = (int)below(r, INPUT_KINDS);
    p->logits = allocate(p->values, sizeof *p->logits);
    for (size_t i = 0; i < p->values; i++) p->logits[i] = draw_input(r, p->spec.activation, kind);
    p->batch.logits = p->logits;
    p->batch.logits_count = p->values;
    add_to_name(p, " %s", input_kind_name(kind));
}

void draw_batch(problem *p, random_numbers *r) {
    draw_targets(p, r);
    draw_mask_and_weights(p, r);
    draw_maps(p, r);
    draw_logits(p, r);
}
