#include "api/check_batch.h"

#include <math.h>
#include <string.h>

#include "api/check_views.h"
#include "api/scratch.h"
#include "terms/lovasz.h"
#include "terms/selection.h"

static const char *target_name(closs_target target) {
    switch (target) {
    case CLOSS_LABELS_U8: return "uint8_t labels";
    case CLOSS_LABELS_U16: return "uint16_t labels";
    case CLOSS_LABELS_I32: return "int32_t labels";
    case CLOSS_LABELS_I64: return "int64_t labels";
    case CLOSS_DENSE_U8: return "dense uint8_t targets";
    case CLOSS_DENSE_F32: return "dense float targets";
    }
    return 0;
}

static closs_status check_range(int64_t first, int64_t count, int64_t extent, const char *name, int64_t *resolved,
                                closs_error *error) {
    if (first < 0 || first >= extent || count < 0 || count > extent - first)
        return refuse(error, CLOSS_BAD_PART, -1, "%s %lld + %lld lie outside the plan's %lld", name, (long long)first,
                      (long long)count, (long long)extent);
    *resolved = count ? count : extent - first;
    return CLOSS_OK;
}

static closs_status resolve_part(const closs_plan *plan, const closs_batch *batch, int whole, part *resolved,
                                 closs_error *error) {
    *resolved = (part){.plan = plan, .batch = batch, .first_sample = batch->first_sample};
    closs_status status = check_range(batch->first_sample, batch->sample_count, plan->shape.samples, "samples",
                                      &resolved->samples, error);
    if (status == CLOSS_OK)
        status =
            check_range(batch->first_voxel, batch->voxel_count, plan->shape.voxels, "voxels", &resolved->voxels, error);
    if (status != CLOSS_OK) return status;
    int64_t end = batch->first_voxel + resolved->voxels;
    if (batch->first_voxel % BLOCK_VOXELS || (end % BLOCK_VOXELS && end != plan->shape.voxels))
        return refuse(error, CLOSS_BAD_PART, -1,
                      "voxels %lld to %lld: expected cuts at multiples of 64 (arithmetic 6.1)",
                      (long long)batch->first_voxel, (long long)end);
    if (whole && (resolved->samples != plan->shape.samples || resolved->voxels != plan->shape.voxels))
        return refuse(error, CLOSS_BAD_PART, -1, "closs_evaluate takes a whole batch: accumulate takes parts");
    if (plan->selection && resolved->voxels != plan->shape.voxels)
        return refuse(error, CLOSS_BAD_PART, -1, "a %s needs parts of whole samples",
                      selection_name(plan->selection->kind));
    if (plan->distance_count && resolved->voxels != plan->shape.voxels)
        return refuse(error, CLOSS_BAD_PART, -1, "a term that measures distances needs parts of whole samples");
    if (plan->lovasz && resolved->voxels != plan->shape.voxels)
        return refuse(error, CLOSS_BAD_PART, -1, "a Lovasz term needs parts of whole samples");
    if (plan->lovasz && lovasz_per_batch(&plan->lovasz->of.lovasz) && resolved->samples != plan->shape.samples)
        return refuse(error, CLOSS_BAD_PART, -1,
                      "a Lovasz term over the batch ranks all its errors together: expected the whole batch in one "
                      "part, or a scope of samples");
    return CLOSS_OK;
}

static closs_status check_targets(const closs_plan *plan, const closs_batch *batch, closs_error *error) {
    if (!target_name(batch->target))
        return refuse(error, CLOSS_BAD_OPTION, -1, "target is %d: expected a closs_target", (int)batch->target);
    if (target_is_dense(batch->target) && plan->formula.activation == CLOSS_SOFTMAX && plan->formula.has_ignore_index)
        return refuse(error, CLOSS_BAD_TERM, -1,
                      "dense targets of a softmax have no ignore_index: a mask leaves voxels out");
    if (batch->target == CLOSS_DENSE_F32 && plan->formula.has_ignore_index)
        return refuse(error, CLOSS_BAD_TERM, -1, "dense float targets have no ignore_index: a mask leaves voxels out");
    if (batch->weights && plan->selection && plan->selection->kind != CLOSS_TOP_K)
        return refuse(error, CLOSS_BAD_TERM, plan->selection_term, "a %s takes a mask, but no voxel weights",
                      selection_name(plan->selection->kind));
    return CLOSS_OK;
}

// A buffer that is as the shape has it holds nothing else; one with a view may.
static closs_status check_buffer(const void *buffer, size_t count, const buffer_layout *b, int optional,
                                 const char *name, closs_error *error) {
    size_t expected = (size_t)b->span;
    if (!buffer && optional && count == 0) return CLOSS_OK;
    if (!buffer) return refuse(error, CLOSS_NULL_POINTER, -1, "%s is NULL", name);
    if (b->viewed ? count >= expected : count == expected) return CLOSS_OK;
    if (b->viewed)
        return refuse(error, CLOSS_WRONG_SIZE, -1, "%s has %zu elements: its view needs at least %zu", name, count,
                      expected);
    return refuse(error, CLOSS_WRONG_SIZE, -1, "%s has %zu elements: expected %zu", name, count, expected);
}

closs_status check_elements(const char *name, const void *buffer, size_t count, size_t expected, closs_error *error) {
    if (!buffer) return refuse(error, CLOSS_NULL_POINTER, -1, "%s is NULL", name);
    if (count != expected)
        return refuse(error, CLOSS_WRONG_SIZE, -1, "%s_count is %zu: expected %zu", name, count, expected);
    return CLOSS_OK;
}

static closs_status check_maps(const closs_plan *plan, const closs_batch *batch, const buffer_layout *b,
                               closs_error *error) {
    if (!plan->formula.maps && batch->maps)
        return refuse(error, CLOSS_BAD_TERM, -1, "maps are given, but no term of the loss takes them");
    if (plan->formula.maps && !batch->maps) {
        const char *what = plan->formula.ranks == RANKS_ERRORS ? "a balanced L1 takes the map of its positives"
                                                               : "a linear term takes maps, such as distance maps";
        return refuse(error, CLOSS_NULL_POINTER, -1, "maps are missing: %s: expected %lld floats", what,
                      (long long)b->span);
    }
    return check_buffer(batch->maps, batch->maps_count, b, 1, "maps", error);
}

static closs_status check_gradient(const part *p, const closs_gradient_buffer *gradient, closs_error *error) {
    if (!gradient) return CLOSS_OK;
    closs_status status = check_buffer(gradient->values, gradient->count, &p->layout.gradient, 0, "gradient", error);
    if (status != CLOSS_OK) return status;
    if ((unsigned)gradient->write > CLOSS_ADD)
        return refuse(error, CLOSS_BAD_OPTION, -1, "gradient.write is %d: expected a closs_write",
                      (int)gradient->write);
    if (!isfinite(gradient->scale)) return refuse(error, CLOSS_BAD_OPTION, -1, "gradient.scale is not finite");
    return CLOSS_OK;
}

static closs_status check_loss_map(const part *p, const call_memory *memory, closs_error *error) {
    size_t expected = (size_t)(part_rows(p) * p->voxels);
    if (!memory->loss_map || memory->loss_map_count == expected) return CLOSS_OK;
    return refuse(error, CLOSS_WRONG_SIZE, -1, "map has %zu elements: expected %zu", memory->loss_map_count, expected);
}

static closs_status check_buffers(const part *p, const call_memory *memory, closs_error *error) {
    const closs_batch *batch = p->batch;
    const run_layout *l = &p->layout;
    closs_status status = check_buffer(batch->logits, batch->logits_count, &l->logits, 0, "logits", error);
    if (status == CLOSS_OK)
        status = check_buffer(batch->targets, batch->targets_count, &l->targets, 0, target_name(batch->target), error);
    if (status == CLOSS_OK) status = check_buffer(batch->mask, batch->mask_count, &l->mask, 1, "mask", error);
    if (status == CLOSS_OK)
        status = check_buffer(batch->weights, batch->weights_count, &l->weights, 1, "weights", error);
    if (status == CLOSS_OK) status = check_maps(p->plan, batch, &l->maps, error);
    if (status == CLOSS_OK) status = check_gradient(p, memory->gradient, error);
    if (status == CLOSS_OK) status = check_loss_map(p, memory, error);
    if (status != CLOSS_OK) return status;
    if (!memory->scratch) return refuse(error, CLOSS_NULL_POINTER, -1, "scratch is NULL");
    if (memory->scratch_bytes < scratch_bytes(p->plan))
        return refuse(error, CLOSS_TOO_SMALL, -1, "scratch has %zu bytes: expected at least %zu", memory->scratch_bytes,
                      scratch_bytes(p->plan));
    return CLOSS_OK;
}

// ---------------------------------------------------------------------------------------------------- overlap ----

static int overlap(const memory_range *a, const memory_range *b) {
    uintptr_t x = (uintptr_t)a->start, y = (uintptr_t)b->start;
    return a->start && b->start && x < y + b->bytes && y < x + a->bytes;
}

static int lie_alike(const buffer_layout *a, const buffer_layout *b) {
    return a->type == b->type && a->sample == b->sample && a->channel == b->channel && a->plane == b->plane &&
           a->row == b->row && a->column == b->column && a->origin == b->origin;
}

static int gradient_in_place(const part *p, const closs_gradient_buffer *gradient) {
    return gradient && gradient->values == p->batch->logits && gradient->write == CLOSS_OVERWRITE &&
           lie_alike(&p->layout.logits, &p->layout.gradient);
}

static memory_range buffer_range(const char *name, const void *start, const buffer_layout *b, int written) {
    return (memory_range){name, start, (size_t)b->span * b->bytes, written};
}

static int is_gradient(const memory_range *range) { return strcmp(range->name, "gradient") == 0; }

static closs_status overlapping(const memory_range *a, const memory_range *b, closs_error *error) {
    const char *but = ": only an overwriting gradient may be the logits' very buffer";
    return refuse(error, CLOSS_OVERLAP, -1, "%s and %s overlap%s", a->name, b->name,
                  is_gradient(a) || is_gradient(b) ? but : "");
}

closs_status check_disjoint(const memory_range *ranges, int count, closs_error *error) {
    for (int i = 0; i < count; i++)
        for (int j = i + 1; j < count; j++)
            if ((ranges[i].written || ranges[j].written) && overlap(&ranges[i], &ranges[j]))
                return overlapping(&ranges[i], &ranges[j], error);
    return CLOSS_OK;
}

static memory_range terms_range(const closs_result *result) {
    return (memory_range){"result.terms", result ? result->terms : 0, result ? result->terms_count * sizeof(double) : 0,
                          1};
}

static memory_range per_class_range(const closs_result *result) {
    return (memory_range){"result.per_class", result ? result->per_class : 0,
                          result ? result->per_class_count * sizeof(double) : 0, 1};
}

static memory_range per_sample_range(const closs_result *result) {
    return (memory_range){"result.per_sample", result ? result->per_sample : 0,
                          result ? result->per_sample_count * sizeof(double) : 0, 1};
}

int call_ranges(const part *p, const call_memory *memory, memory_range *listed) {
    const closs_batch *batch = p->batch;
    const closs_gradient_buffer *gradient = memory->gradient;
    const run_layout *l = &p->layout;
    int in_place = gradient_in_place(p, gradient);
    const memory_range ranges[] = {
        buffer_range("logits", batch->logits, &l->logits, in_place),
        buffer_range("targets", batch->targets, &l->targets, 0),
        buffer_range("mask", batch->mask, &l->mask, 0),
        buffer_range("weights", batch->weights, &l->weights, 0),
        buffer_range("maps", batch->maps, &l->maps, 0),
        buffer_range("gradient", gradient && !in_place ? gradient->values : 0, &l->gradient, 1),
        {"totals", memory->totals, memory->totals_count * sizeof(int64_t), memory->writes_totals},
        {"coefficients", memory->coefficients, memory->coefficients_count * sizeof(int64_t), 0},
        terms_range(memory->result),
        per_class_range(memory->result),
        per_sample_range(memory->result),
        {"map", memory->loss_map, memory->loss_map_count * sizeof(float), 1},
        {"scratch", memory->scratch, memory->scratch_bytes, 1},
    };
    _Static_assert(sizeof ranges <= CALL_RANGES * sizeof *ranges, "a call has no more ranges");
    memcpy(listed, ranges, sizeof ranges);
    return sizeof ranges / sizeof *ranges;
}

static closs_status check_overlap(const part *p, const call_memory *memory, closs_error *error) {
    memory_range ranges[CALL_RANGES];
    return check_disjoint(ranges, call_ranges(p, memory, ranges), error);
}

closs_status check_finish_overlap(const int64_t *totals, size_t totals_count, const int64_t *coefficients,
                                  size_t coefficients_count, const closs_result *result, closs_error *error) {
    const memory_range ranges[] = {
        {"totals", totals, totals_count * sizeof(int64_t), 0},
        {"coefficients", coefficients, coefficients_count * sizeof(int64_t), 1},
        terms_range(result),
        per_class_range(result),
        per_sample_range(result),
    };
    return check_disjoint(ranges, sizeof ranges / sizeof *ranges, error);
}

closs_status check_batch(const closs_plan *plan, const closs_batch *batch, int whole, const call_memory *memory,
                         part *resolved, closs_error *error) {
    if (!plan) return refuse(error, CLOSS_NULL_POINTER, -1, "plan is NULL");
    if (!batch) return refuse(error, CLOSS_NULL_POINTER, -1, "batch is NULL");
    closs_status status = resolve_part(plan, batch, whole, resolved, error);
    if (status == CLOSS_OK) status = check_targets(plan, batch, error);
    if (status == CLOSS_OK) status = check_views(resolved, memory->gradient, error);
    if (status == CLOSS_OK) status = check_buffers(resolved, memory, error);
    return status == CLOSS_OK ? check_overlap(resolved, memory, error) : status;
}

closs_status check_totals(const closs_plan *plan, const int64_t *totals, size_t count, const char *name,
                          closs_error *error) {
    if (!plan) return refuse(error, CLOSS_NULL_POINTER, -1, "plan is NULL");
    if (!totals) return refuse(error, CLOSS_NULL_POINTER, -1, "%s is NULL", name);
    if (count >= plan->totals.count) return CLOSS_OK;
    return refuse(error, CLOSS_TOO_SMALL, -1, "%s has %zu words: expected at least %zu", name, count,
                  plan->totals.count);
}

closs_status check_coefficients(const closs_plan *plan, const int64_t *coefficients, size_t count, closs_error *error) {
    if (!coefficients) return refuse(error, CLOSS_NULL_POINTER, -1, "coefficients is NULL");
    if (count >= plan->coefficients.count) return CLOSS_OK;
    return refuse(error, CLOSS_TOO_SMALL, -1, "coefficients has %zu words: expected at least %zu", count,
                  plan->coefficients.count);
}

static closs_status check_per_sample(const closs_plan *plan, const closs_result *result, closs_error *error) {
    size_t values = plan->term_count * (size_t)plan->shape.samples;
    if (!result->per_sample) return CLOSS_OK;
    if (!plan->by_sample)
        return refuse(error, CLOSS_BAD_OPTION, -1, "result.per_sample is given: expected a plan made with per_sample");
    if (result->per_sample_count < values)
        return refuse(error, CLOSS_TOO_SMALL, -1, "result.per_sample has %zu entries: expected at least %zu",
                      result->per_sample_count, values);
    return CLOSS_OK;
}

closs_status check_result(const closs_plan *plan, const closs_result *result, closs_error *error) {
    if (!result) return refuse(error, CLOSS_NULL_POINTER, -1, "result is NULL");
    size_t classes = plan->term_count * (size_t)plan->shape.classes;
    if (result->terms && result->terms_count < plan->term_count)
        return refuse(error, CLOSS_TOO_SMALL, -1, "result.terms has %zu entries: expected at least %zu",
                      result->terms_count, plan->term_count);
    if (result->per_class && result->per_class_count < classes)
        return refuse(error, CLOSS_TOO_SMALL, -1, "result.per_class has %zu entries: expected at least %zu",
                      result->per_class_count, classes);
    return check_per_sample(plan, result, error);
}
