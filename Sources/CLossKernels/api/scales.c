// Several batches of one loss at several scales (deep supervision): all are looked at before any is written.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/evaluation.h"
#include "driver/environment.h"

size_t closs_scales_scratch_bytes(const closs_scale *scales, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; scales && i < count; i++) {
        if (!scales[i].plan) return 0;
        bytes += scratch_bytes(scales[i].plan);
    }
    return bytes;
}

typedef struct scales_call {
    evaluation each[CLOSS_MAX_SCALES];
    closs_gradient_buffer gradients[CLOSS_MAX_SCALES]; // with the weights in their scales
} scales_call;

// Says which scale a refusal is about.
static closs_status of_scale(size_t i, closs_status status, closs_error *error) {
    if (status == CLOSS_OK || !error) return status;
    char message[sizeof error->message];
    memcpy(message, error->message, sizeof message);
    snprintf(error->message, sizeof error->message, "scale %zu: %.220s", i, message);
    return status;
}

static closs_status check_scales(const closs_scale *scales, size_t count, const double *value, const void *memory,
                                 size_t memory_bytes, closs_error *error) {
    if (!scales) return refuse(error, CLOSS_NULL_POINTER, -1, "scales is NULL");
    if (!value) return refuse(error, CLOSS_NULL_POINTER, -1, "value is NULL");
    if (!memory) return refuse(error, CLOSS_NULL_POINTER, -1, "scratch is NULL");
    if (count < 1 || count > CLOSS_MAX_SCALES)
        return refuse(error, CLOSS_WRONG_SIZE, -1, "there are %zu scales: expected 1 to %d", count, CLOSS_MAX_SCALES);
    for (size_t i = 0; i < count; i++) {
        if (!scales[i].plan) return of_scale(i, refuse(error, CLOSS_NULL_POINTER, -1, "plan is NULL"), error);
        if (!isfinite(scales[i].weight))
            return of_scale(i, refuse(error, CLOSS_BAD_OPTION, -1, "weight is not finite"), error);
    }
    size_t needed = closs_scales_scratch_bytes(scales, count);
    if (memory_bytes < needed)
        return refuse(error, CLOSS_TOO_SMALL, -1, "scratch has %zu bytes: expected at least %zu", memory_bytes, needed);
    return CLOSS_OK;
}

static const closs_gradient_buffer *weighted_gradient(const closs_scale *scale, closs_gradient_buffer *copy) {
    if (!scale->gradient) return 0;
    *copy = *scale->gradient;
    copy->scale = (float)(scale->weight * (double)copy->scale);
    return copy;
}

// Each scale by itself, then all together: what one writes, no other may read or write.
static closs_status check_each(scales_call *call, const closs_scale *scales, size_t count, char *memory,
                               closs_error *error) {
    memory_range ranges[CLOSS_MAX_SCALES * CALL_RANGES];
    int listed = 0;
    for (size_t i = 0; i < count; i++) {
        const closs_scale *scale = &scales[i];
        evaluation *e = &call->each[i];
        size_t bytes = scratch_bytes(scale->plan);
        closs_status status =
            evaluation_check(e, scale->plan, scale->batch, weighted_gradient(scale, &call->gradients[i]), scale->result,
                             memory, bytes, error);
        if (status != CLOSS_OK) return of_scale(i, status, error);
        listed += call_ranges(&e->part, &e->memory, ranges + listed);
        memory += bytes;
    }
    return check_disjoint(ranges, listed, error);
}

NOT_INLINED static closs_status evaluate_scales(const closs_scale *scales, size_t count, double *value, void *memory,
                                                size_t memory_bytes, closs_error *error) {
    scales_call call;
    closs_status status = check_scales(scales, count, value, memory, memory_bytes, error);
    if (status == CLOSS_OK) status = check_each(&call, scales, count, memory, error);
    if (status != CLOSS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        status = of_scale(i, evaluation_prepare(&call.each[i], error), error);
        if (status != CLOSS_OK) return status;
    }
    for (size_t i = 0; i < count; i++) {
        status = of_scale(i, evaluation_write(&call.each[i], error), error);
        if (status != CLOSS_OK) return status;
    }
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        evaluation_finish(&call.each[i]);
        sum += scales[i].weight * scales[i].result->value;
    }
    *value = sum;
    return accepted(error);
}

closs_status closs_evaluate_scales(const closs_scale *scales, size_t count, double *value, void *scratch,
                                   size_t scratch_bytes, closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status = evaluate_scales(scales, count, value, scratch, scratch_bytes, error);
    environment_leave(callers);
    return status;
}
