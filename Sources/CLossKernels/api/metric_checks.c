#include "api/metric_checks.h"

#include <math.h>

#include "api/check_batch.h"

// -------------------------------------------------------------------------------------------------------- specs ----

closs_status metric_check_shape(const closs_shape *shape, int64_t factor, const char *of, closs_error *error) {
    const int64_t most = INT64_MAX / 256;
    if (shape->samples < 1)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "%ssamples is %lld: expected at least 1", of,
                      (long long)shape->samples);
    if (shape->classes < 1 || shape->classes > CLOSS_MAX_CLASSES)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "%sclasses is %lld: expected 1 .. %d", of, (long long)shape->classes,
                      CLOSS_MAX_CLASSES);
    if (shape->voxels < 1)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "%svoxels is %lld: expected at least 1", of,
                      (long long)shape->voxels);
    if (shape->samples > most / shape->classes || shape->samples * shape->classes > most / shape->voxels ||
        shape->samples * shape->classes > most / factor)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "samples, classes and voxels make too many values");
    return CLOSS_OK;
}

closs_status metric_check_machine(int threads, closs_isa isa, const metric_kernels **found, closs_error *error) {
    if (threads < 0)
        return refuse(error, CLOSS_BAD_THREADS, -1, "threads is %d: expected 0 (the default) or more", threads);
    const kernels *of_isa = kernels_for(isa);
    if (!of_isa) return refuse_isa(isa, error);
    *found = of_isa->metrics;
    return CLOSS_OK;
}

// ------------------------------------------------------------------------------------------------------ buffers ----

static closs_status check_types(int values, int dense, const closs_metric_batch *b, closs_error *error) {
    const int is_labels = b->target >= CLOSS_LABELS_U8 && b->target <= CLOSS_LABELS_I64;
    const int is_dense = b->target == CLOSS_DENSE_U8 || b->target == CLOSS_DENSE_F32;
    if (!is_labels && !(dense && is_dense))
        return refuse(error, CLOSS_BAD_OPTION, -1,
                      dense ? "target is %d: expected a closs_target"
                            : "target is %d: expected labels, CLOSS_LABELS_U8 to "
                              "CLOSS_LABELS_I64",
                      (int)b->target);
    if (!values && (b->predicted < CLOSS_LABELS_U8 || b->predicted > CLOSS_LABELS_I64))
        return refuse(error, CLOSS_BAD_OPTION, -1,
                      "predicted is %d: expected labels, CLOSS_LABELS_U8 to CLOSS_LABELS_I64", (int)b->predicted);
    if (values && (b->predictions_type < CLOSS_FLOAT32 || b->predictions_type > CLOSS_BFLOAT16))
        return refuse(error, CLOSS_BAD_OPTION, -1, "predictions_type is %d: expected a closs_float",
                      (int)b->predictions_type);
    return CLOSS_OK;
}

closs_status metric_check_batch(const closs_shape *shape, int values, int dense, const closs_metric_batch *batch,
                                const metric_memory *m, closs_error *error) {
    if (!batch) return refuse(error, CLOSS_NULL_POINTER, -1, "batch is NULL");
    closs_status status = check_types(values, dense, batch, error);
    if (status != CLOSS_OK) return status;
    const size_t voxels = (size_t)(shape->samples * shape->voxels), all = voxels * (size_t)shape->classes;
    const size_t predictions = values ? all : voxels, targets = target_is_dense(batch->target) ? all : voxels;
    status = check_elements("predictions", batch->predictions, batch->predictions_count, predictions, error);
    if (status == CLOSS_OK) status = check_elements("targets", batch->targets, batch->targets_count, targets, error);
    if (status == CLOSS_OK && batch->mask)
        status = check_elements("mask", batch->mask, batch->mask_count, voxels, error);
    if (status == CLOSS_OK) status = check_elements(m->name, m->results, m->count, m->expected, error);
    if (status != CLOSS_OK) return status;
    if (!m->scratch) return refuse(error, CLOSS_NULL_POINTER, -1, "scratch is NULL: expected %zu bytes", m->needed);
    if (m->scratch_bytes < m->needed)
        return refuse(error, CLOSS_TOO_SMALL, -1, "scratch_bytes is %zu: expected at least %zu", m->scratch_bytes,
                      m->needed);
    const size_t element = values ? float_bytes(batch->predictions_type) : target_bytes(batch->predicted);
    const memory_range ranges[] = {{"predictions", batch->predictions, predictions * element, 0},
                                   {"targets", batch->targets, targets * target_bytes(batch->target), 0},
                                   {"mask", batch->mask, voxels, 0},
                                   {m->name, m->results, m->expected * m->element, 1},
                                   {"scratch", m->scratch, m->scratch_bytes, 1}};
    return check_disjoint(ranges, sizeof ranges / sizeof *ranges, error);
}

// ------------------------------------------------------------------------------------------------------- faults ----

static int64_t label_in(closs_target type, const void *labels, int64_t i) {
    switch (type) {
    case CLOSS_LABELS_U16: return ((const uint16_t *)labels)[i];
    case CLOSS_LABELS_I32: return ((const int32_t *)labels)[i];
    case CLOSS_LABELS_I64: return ((const int64_t *)labels)[i];
    default: return ((const uint8_t *)labels)[i];
    }
}

static int64_t target_count(const metric_pass *pass) {
    const closs_shape *s = &pass->shape;
    return s->samples * s->voxels * (target_is_dense(pass->batch->target) ? s->classes : 1);
}

static int is_masked(const metric_pass *pass, int64_t target) {
    const closs_shape *s = &pass->shape;
    const uint8_t *mask = pass->batch->mask;
    if (!mask) return 0;
    if (!target_is_dense(pass->batch->target)) return !mask[target];
    return !mask[target / (s->classes * s->voxels) * s->voxels + target % s->voxels];
}

closs_status metric_diagnose_target(const metric_pass *pass, int64_t limit, closs_error *error) {
    const closs_metric_batch *b = pass->batch;
    const int is_dense = target_is_dense(b->target);
    const char *name = is_dense ? "targets" : "labels";
    for (int64_t i = 0; i < target_count(pass); i++) {
        if (is_masked(pass, i)) continue;
        if (b->target == CLOSS_DENSE_F32) {
            float target = ((const float *)b->targets)[i];
            if (target == 0 || target == 1) continue;
            return refuse(error, CLOSS_BAD_TARGET, i, "targets[%lld] is %g: expected 0 or 1", (long long)i,
                          (double)target);
        }
        int64_t label = label_in(b->target, b->targets, i);
        if ((label >= 0 && label < limit) || (pass->has_ignore && label == pass->ignore)) continue;
        closs_status status = is_dense ? CLOSS_BAD_TARGET : CLOSS_BAD_LABEL;
        if (!pass->has_ignore)
            return refuse(error, status, i, "%s[%lld] is %lld: expected 0 to %lld (no ignore_index is set)", name,
                          (long long)i, (long long)label, (long long)(limit - 1));
        return refuse(error, status, i, "%s[%lld] is %lld: expected 0 to %lld, or the ignore_index %lld", name,
                      (long long)i, (long long)label, (long long)(limit - 1), (long long)pass->ignore);
    }
    return CLOSS_OK;
}

closs_status metric_diagnose_predicted(const metric_pass *pass, closs_error *error) {
    const closs_metric_batch *b = pass->batch;
    for (int64_t i = 0; i < target_count(pass); i++) {
        if (is_masked(pass, i)) continue;
        if (pass->has_ignore && label_in(b->target, b->targets, i) == pass->ignore) continue;
        int64_t label = label_in(b->predicted, b->predictions, i);
        if (label < 0 || label >= pass->shape.classes)
            return refuse(error, CLOSS_BAD_LABEL, i, "predictions[%lld] is %lld: expected 0 to %lld", (long long)i,
                          (long long)label, (long long)(pass->shape.classes - 1));
    }
    return CLOSS_OK;
}

static float value_at(const closs_metric_batch *b, int64_t i) {
    if (b->predictions_type == CLOSS_FLOAT32) return ((const float *)b->predictions)[i];
    return float_of_bits16((const uint16_t *)b->predictions + i, b->predictions_type);
}

closs_status metric_diagnose_values(const metric_pass *pass, int are_probabilities, closs_error *error) {
    const closs_shape *s = &pass->shape;
    for (int64_t i = 0; i < s->samples * s->classes * s->voxels; i++) {
        float value = value_at(pass->batch, i);
        if (are_probabilities && !(value >= 0 && value <= 1))
            return refuse(error, CLOSS_BAD_PROBABILITY, i, "predictions[%lld] is %g: expected a probability in [0, 1]",
                          (long long)i, (double)value);
        if (!isfinite(value))
            return refuse(error, CLOSS_NOT_FINITE, i, "predictions[%lld] is %g: expected a finite number", (long long)i,
                          (double)value);
    }
    return CLOSS_OK;
}
