#include "api/diagnose.h"

#include <math.h>

#include "kernels/label.h"

// A row's voxel, and the places of its values in the caller's buffers.
typedef struct place {
    int64_t channel;
    int64_t in_logits, in_targets, in_mask, in_weights, in_maps;
} place;

static place place_of(const part *p, int64_t row, int64_t voxel) {
    int64_t sample = row_sample(p, row), channel = row_channel(p, row);
    int64_t target_channel = target_is_dense(p->batch->target) ? channel : 0;
    const run_layout *l = &p->layout;
    return (place){channel,
                   part_place(p, &l->logits, sample, channel, voxel),
                   part_place(p, &l->targets, sample, target_channel, voxel),
                   part_place(p, &l->mask, sample, 0, voxel),
                   part_place(p, &l->weights, sample, 0, voxel),
                   part_place(p, &l->maps, sample, channel, voxel)};
}

static float input_at(const part *p, int64_t i) {
    const buffer_layout *b = &p->layout.logits;
    if (b->type == CLOSS_FLOAT32) return ((const float *)p->batch->logits)[i];
    return float_of_bits16((const uint16_t *)p->batch->logits + i, b->type);
}

static int64_t batch_label(const closs_batch *batch, int64_t i) { return label_at(batch->target, batch->targets, i); }

static int is_ignored(const part *p, const place *at) {
    const formula *f = &p->plan->formula;
    return f->has_ignore_index && p->batch->target != CLOSS_DENSE_F32 &&
           batch_label(p->batch, at->in_targets) == f->ignore_index;
}

// Whether a channel's target is 1.
static int is_positive(const part *p, const place *at) {
    if (p->batch->target == CLOSS_DENSE_F32) return ((const float *)p->batch->targets)[at->in_targets] == 1;
    int64_t positive = channel_positive(p->batch->target, p->plan->shape.classes, at->channel);
    return batch_label(p->batch, at->in_targets) == positive;
}

static closs_status diagnose_soft_target(const part *p, int64_t i, closs_error *error) {
    float g = ((const float *)p->batch->targets)[i];
    if (p->plan->formula.balanced && g != 0 && g != 1)
        return refuse(error, CLOSS_BAD_TARGET, i, "targets[%lld] is %g: a balanced binary cross entropy needs 0 or 1",
                      (long long)i, (double)g);
    if (p->plan->formula.lovasz && g != 0 && g != 1)
        return refuse(error, CLOSS_BAD_TARGET, i, "targets[%lld] is %g: a Lovasz term needs 0 or 1", (long long)i,
                      (double)g);
    if (!(g >= 0 && g <= 1))
        return refuse(error, CLOSS_BAD_TARGET, i, "targets[%lld] is %g: expected a number in [0, 1]", (long long)i,
                      (double)g);
    return CLOSS_OK;
}

static closs_status diagnose_target(const part *p, int64_t i, closs_error *error) {
    const formula *f = &p->plan->formula;
    if (p->batch->target == CLOSS_DENSE_F32) return diagnose_soft_target(p, i, error);
    int64_t label = batch_label(p->batch, i);
    int dense = p->batch->target == CLOSS_DENSE_U8;
    int64_t largest = channel_labels(p->batch->target, f->classes) - 1;
    if ((label >= 0 && label <= largest) || (f->has_ignore_index && label == f->ignore_index)) return CLOSS_OK;
    const char *name = dense ? "targets" : "labels";
    closs_status status = dense ? CLOSS_BAD_TARGET : CLOSS_BAD_LABEL;
    if (dense && f->activation == CLOSS_SOFTMAX) // whose dense targets have no ignore_index
        return refuse(error, status, i, "targets[%lld] is %lld: expected 0 or 1", (long long)i, (long long)label);
    if (!f->has_ignore_index)
        return refuse(error, status, i, "%s[%lld] is %lld: expected 0 to %lld (no ignore_index is set)", name,
                      (long long)i, (long long)label, (long long)largest);
    return refuse(error, status, i, "%s[%lld] is %lld: expected 0 to %lld, or the ignore_index %lld", name,
                  (long long)i, (long long)label, (long long)largest, (long long)f->ignore_index);
}

static closs_status diagnose_weight(const part *p, int64_t i, closs_error *error) {
    if (!p->batch->weights) return CLOSS_OK;
    float weight = p->batch->weights[i];
    if (!(weight >= 0) || isinf(weight))
        return refuse(error, CLOSS_BAD_WEIGHT, i, "weights[%lld] is %g: expected a finite number of at least 0",
                      (long long)i, (double)weight);
    return CLOSS_OK;
}

static closs_status diagnose_input(const part *p, int64_t i, closs_error *error) {
    float input = input_at(p, i);
    if (p->plan->formula.activation == CLOSS_PROBABILITIES && !(input >= 0 && input <= 1))
        return refuse(error, CLOSS_BAD_PROBABILITY, i, "probabilities[%lld] is %g: expected a number in [0, 1]",
                      (long long)i, (double)input);
    if (!isfinite(input))
        return refuse(error, CLOSS_NOT_FINITE, i, "logits[%lld] is %g: expected a finite number", (long long)i,
                      (double)input);
    return CLOSS_OK;
}

static closs_status diagnose_map(const part *p, int64_t i, closs_error *error) {
    if (!p->batch->maps || isfinite(p->batch->maps[i])) return CLOSS_OK;
    return refuse(error, CLOSS_NOT_FINITE, i, "maps[%lld] is %g: expected a finite number", (long long)i,
                  (double)p->batch->maps[i]);
}

// Arithmetic 8.3: a balanced term refuses single losses.
static closs_status diagnose_balanced_loss(const part *p, const place *at, closs_error *error) {
    float logit = input_at(p, at->in_logits);
    if (!p->plan->formula.balanced || p->plan->formula.activation != CLOSS_SIGMOID || !(fabsf(logit) >= 0x1p19f))
        return CLOSS_OK;
    if (is_positive(p, at) != (logit < 0)) return CLOSS_OK;
    return refuse(error, CLOSS_OUT_OF_RANGE, at->in_logits,
                  "logits[%lld] is %g: its loss reaches 2^19 = 524288, beyond which sums are not exact",
                  (long long)at->in_logits, (double)logit);
}

// The targets of a softmax's voxel, one for each class (arithmetic 4.4).
static closs_status diagnose_distribution(const part *p, int64_t first, closs_error *error) {
    float sum = 0;
    for (int64_t c = 0; c < p->plan->shape.classes; c++) {
        int64_t i = first + c * p->layout.targets.channel;
        closs_status status = diagnose_target(p, i, error);
        if (status != CLOSS_OK) return status;
        sum += p->batch->target == CLOSS_DENSE_F32 ? ((const float *)p->batch->targets)[i]
                                                   : (float)batch_label(p->batch, i);
    }
    if (!p->plan->formula.classwise || fabsf(sum - 1) <= DISTRIBUTION_TOLERANCE) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_TARGET, first,
                  "the targets of the voxel that begin at targets[%lld], one for each class, add up to %g: expected 1 "
                  "within 0.001",
                  (long long)first, (double)sum);
}

static closs_status diagnose_voxel(const part *p, int sees, int64_t row, int64_t voxel, closs_error *error) {
    place at = place_of(p, row, voxel);
    int masked = p->batch->mask && !p->batch->mask[at.in_mask];
    closs_status status = CLOSS_OK;
    int softmax = p->plan->formula.activation == CLOSS_SOFTMAX, dense = target_is_dense(p->batch->target);
    if (sees & SEES_TARGETS && !masked)
        status = softmax && dense ? diagnose_distribution(p, at.in_targets, error)
                                  : diagnose_target(p, at.in_targets, error);
    if (status == CLOSS_OK && sees & SEES_WEIGHTS) status = diagnose_weight(p, at.in_weights, error);
    const int64_t classes = row_classes(p);
    for (int64_t c = 0; c < classes && status == CLOSS_OK && sees & SEES_WEIGHTS; c++)
        status = diagnose_map(p, at.in_maps + c * p->layout.maps.channel, error);
    for (int64_t c = 0; c < classes && status == CLOSS_OK && sees & SEES_INPUT; c++)
        status = diagnose_input(p, at.in_logits + c * p->layout.logits.channel, error);
    if (status == CLOSS_OK && sees & SEES_BALANCED_LOSSES && !masked && !is_ignored(p, &at))
        status = diagnose_balanced_loss(p, &at, error);
    return status;
}

// Losses and weights are added by block: what is too large shows in the block, not in a single value.
static int block_overflows(const part *p, const sweep_fault *where, int64_t first, int64_t voxels) {
    const closs_plan *plan = p->plan;
    class_sums classes[row_classes(p)];
    run_sums sums = {.classes = classes};
    run_survey unused;
    run at = part_run(p, where->row, first, voxels, 0, STORE_PLAIN);
    if (where->sees & SEES_BALANCED_LOSSES && plan->formula.ranks)
        return plan->select->check(&plan->formula, &at) != FAULT_NONE;
    if (where->sees & SEES_LOSSES) return plan->kernels->totals(&plan->formula, &at, &sums) != FAULT_NONE;
    if (where->sees & SEES_WEIGHTS) return plan->kernels->survey(&plan->formula, &at, 0, &unused, &sums) != FAULT_NONE;
    return 0;
}

static closs_status diagnose_block(const part *p, const sweep_fault *where, int64_t first, int64_t voxels,
                                   closs_error *error) {
    for (int64_t v = 0; v < voxels; v++) {
        closs_status status = diagnose_voxel(p, where->sees, where->row, first + v, error);
        if (status != CLOSS_OK) return status;
    }
    if (!block_overflows(p, where, first, voxels)) return CLOSS_OK;
    int64_t index = place_of(p, where->row, first).in_logits;
    return refuse(error, CLOSS_OUT_OF_RANGE, index,
                  "a loss or weight among the %lld voxels from logits[%lld] on reaches 2^19 = 524288, beyond which "
                  "sums are not exact",
                  (long long)voxels, (long long)index);
}

// The lowest block with a fault that the sweep could see is the same however the sweep was cut: other faults, which may
// stand before it, are left for the sweep that looks for them.
closs_status diagnose(const part *p, const sweep_fault *where, closs_error *error) {
    for (int64_t offset = 0; offset < where->voxels; offset += BLOCK_VOXELS) {
        int64_t voxels = where->voxels - offset < BLOCK_VOXELS ? where->voxels - offset : BLOCK_VOXELS;
        closs_status status = diagnose_block(p, where, where->first + offset, voxels, error);
        if (status != CLOSS_OK) return status;
    }
    return refuse(error, CLOSS_OUT_OF_RANGE, -1, "the input changed while it was read");
}
