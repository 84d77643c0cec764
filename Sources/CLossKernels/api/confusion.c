// Confusion counts, of classes and at thresholds.
#include <math.h>
#include <string.h>

#include "api/check_batch.h"
#include "api/metric_checks.h"
#include "driver/environment.h"
#include "driver/parallel.h"
#include "driver/sweep.h"
#include "terms/real.h"

// What a spec stands for: the pass without its batch, and its memory.
typedef struct counting_plan {
    metric_pass pass;
    size_t results;     // of one call
    size_t totals, own; // bytes of scratch: of all threads, of each
} counting_plan;

static size_t fixed_bytes(const counting_plan *plan) { return ROOM_ALIGNMENT + room_bytes(plan->totals); }

static size_t scratch_of(const counting_plan *plan, int threads) {
    return fixed_bytes(plan) + (size_t)threads * plan->own;
}

static void take_threads(counting_plan *plan, size_t scratch_bytes) {
    plan->pass.threads = rooms_held(plan->pass.threads, scratch_bytes, fixed_bytes(plan), plan->own);
}

static closs_status resolve_pass(const closs_shape *shape, int64_t factor, int has_ignore, int64_t ignore, int threads,
                                 closs_isa isa, metric_pass *pass, closs_error *error) {
    *pass = (metric_pass){.shape = *shape, .has_ignore = has_ignore, .ignore = ignore};
    closs_status status = metric_check_shape(shape, factor, "shape.", error);
    if (status == CLOSS_OK) status = metric_check_machine(threads, isa, &pass->kernels, error);
    if (status != CLOSS_OK) return status;
    pass->threads = threads_for(parallel_threads(threads), shape->samples * shape->voxels * shape->classes);
    if (pass->threads > MOST_THREADS) pass->threads = MOST_THREADS;
    return CLOSS_OK;
}

// --------------------------------------------------------------------------------------------------- confusion ----

static closs_status resolve_confusion(const closs_confusion_spec *spec, counting_plan *plan, closs_error *error) {
    if (!spec) return refuse(error, CLOSS_NULL_POINTER, -1, "spec is NULL");
    closs_status status = resolve_pass(&spec->shape, CLOSS_MAX_CLASSES, spec->has_ignore_index, spec->ignore_index,
                                       spec->threads, spec->isa, &plan->pass, error);
    if (status != CLOSS_OK) return status;
    if (spec->prediction < CLOSS_PREDICTED_LABELS || spec->prediction > CLOSS_PREDICTED_LOGITS)
        return refuse(error, CLOSS_BAD_OPTION, -1, "prediction is %d: expected a closs_prediction_kind",
                      (int)spec->prediction);
    const size_t cells = (size_t)(spec->shape.classes * spec->shape.classes);
    plan->results = (size_t)spec->shape.samples * cells;
    plan->totals = plan->results * sizeof(int64_t);
    plan->own = (size_t)confusion_copies(spec->shape.classes) * cells * sizeof(uint32_t);
    return CLOSS_OK;
}

size_t closs_confusion_scratch_bytes(const closs_confusion_spec *spec) {
    counting_plan plan;
    return resolve_confusion(spec, &plan, 0) == CLOSS_OK ? scratch_of(&plan, plan.pass.threads) : 0;
}

static closs_status diagnose_confusion(const confusion_pass *p, closs_error *error) {
    closs_status status = metric_diagnose_target(&p->pass, p->pass.shape.classes, error);
    if (status == CLOSS_OK)
        status = p->prediction == CLOSS_PREDICTED_LABELS ? metric_diagnose_predicted(&p->pass, error)
                                                         : metric_diagnose_values(&p->pass, 0, error);
    if (status != CLOSS_OK) return status;
    return refuse(error, CLOSS_OUT_OF_RANGE, -1, "the input changed while it was read");
}

NOT_INLINED static closs_status confusion(const closs_confusion_spec *spec, const closs_metric_batch *batch,
                                          int64_t *matrix, size_t matrix_count, void *scratch, size_t scratch_bytes,
                                          closs_error *error) {
    counting_plan plan;
    closs_status status = resolve_confusion(spec, &plan, error);
    if (status != CLOSS_OK) return status;
    const metric_memory memory = {"matrix",       matrix,  matrix_count,  plan.results,
                                  sizeof *matrix, scratch, scratch_bytes, scratch_of(&plan, 1)};
    status = metric_check_batch(&spec->shape, spec->prediction == CLOSS_PREDICTED_LOGITS, 0, batch, &memory, error);
    if (status != CLOSS_OK) return status;
    take_threads(&plan, scratch_bytes);
    char *room = first_room(scratch);
    confusion_pass pass = {.pass = plan.pass,
                           .prediction = spec->prediction,
                           .totals = (int64_t *)room,
                           .tables = (uint32_t *)(room + room_bytes(plan.totals))};
    pass.pass.batch = batch;
    if (run_confusion(&pass)) return diagnose_confusion(&pass, error);
    memcpy(matrix, pass.totals, plan.totals);
    return accepted(error);
}

closs_status closs_confusion(const closs_confusion_spec *spec, const closs_metric_batch *batch, int64_t *matrix,
                             size_t matrix_count, void *scratch, size_t scratch_bytes, closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status = confusion(spec, batch, matrix, matrix_count, scratch, scratch_bytes, error);
    environment_leave(callers);
    return status;
}

// Of one sample, each number of the matrix read twice.
static void counts_of_sample(const int64_t *matrix, int64_t classes, closs_counts *counts) {
    int64_t all = 0;
    for (int64_t i = 0; i < classes * classes; i++) all += matrix[i];
    for (int64_t c = 0; c < classes; c++) {
        closs_counts here = {.true_positives = matrix[c * classes + c]};
        for (int64_t other = 0; other < classes; other++) {
            if (other == c) continue;
            here.false_negatives += matrix[c * classes + other];
            here.false_positives += matrix[other * classes + c];
        }
        here.true_negatives = all - here.true_positives - here.false_negatives - here.false_positives;
        counts[c] = here;
    }
}

static closs_status check_matrix(const int64_t *matrix, int64_t samples, int64_t cells, closs_error *error) {
    for (int64_t n = 0; n < samples; n++) {
        int64_t all = 0;
        for (int64_t i = n * cells; i < (n + 1) * cells; i++) {
            if (matrix[i] < 0)
                return refuse(error, CLOSS_OUT_OF_RANGE, i, "matrix[%lld] is %lld: expected a count, 0 or more",
                              (long long)i, (long long)matrix[i]);
            if (__builtin_add_overflow(all, matrix[i], &all))
                return refuse(error, CLOSS_OUT_OF_RANGE, i,
                              "matrix[%lld] is %lld: expected a sum below 2^63 for each sample", (long long)i,
                              (long long)matrix[i]);
        }
    }
    return CLOSS_OK;
}

closs_status closs_confusion_counts(int64_t samples, int64_t classes, const int64_t *matrix, size_t matrix_count,
                                    closs_counts *counts, size_t counts_count, closs_error *error) {
    closs_status status = metric_check_shape(&(closs_shape){samples, classes, 1}, CLOSS_MAX_CLASSES, "", error);
    if (status != CLOSS_OK) return status;
    const size_t results = (size_t)(samples * classes), cells = results * (size_t)classes;
    status = check_elements("matrix", matrix, matrix_count, cells, error);
    if (status == CLOSS_OK) status = check_elements("counts", counts, counts_count, results, error);
    if (status != CLOSS_OK) return status;
    const memory_range ranges[] = {{"matrix", matrix, cells * sizeof *matrix, 0},
                                   {"counts", counts, results * sizeof *counts, 1}};
    status = check_disjoint(ranges, 2, error);
    if (status == CLOSS_OK) status = check_matrix(matrix, samples, classes * classes, error);
    if (status != CLOSS_OK) return status;
    for (int64_t n = 0; n < samples; n++)
        counts_of_sample(matrix + n * classes * classes, classes, counts + n * classes);
    return accepted(error);
}

// -------------------------------------------------------------------------------------------------- thresholds ----

static closs_status check_thresholds(const closs_threshold_spec *spec, closs_error *error) {
    if (spec->activation != CLOSS_PROBABILITIES && spec->activation != CLOSS_SIGMOID)
        return refuse_activation(spec->activation, error);
    if (!spec->thresholds) return refuse(error, CLOSS_NULL_POINTER, -1, "thresholds is NULL");
    if (spec->threshold_count < 1 || spec->threshold_count > CLOSS_MAX_THRESHOLDS)
        return refuse(error, CLOSS_BAD_OPTION, -1, "threshold_count is %d: expected 1 .. %d", spec->threshold_count,
                      CLOSS_MAX_THRESHOLDS);
    for (int k = 0; k < spec->threshold_count; k++) {
        float t = spec->thresholds[k];
        if (!(t >= 0 && t <= 1))
            return refuse(error, CLOSS_BAD_OPTION, k, "thresholds[%d] is %g: expected a number in [0, 1]", k,
                          (double)t);
        if (k && !(t > spec->thresholds[k - 1]))
            return refuse(error, CLOSS_BAD_OPTION, k,
                          "thresholds[%d] is %g, after %g: expected thresholds that strictly increase", k, (double)t,
                          (double)spec->thresholds[k - 1]);
    }
    return CLOSS_OK;
}

static closs_status resolve_thresholds(const closs_threshold_spec *spec, counting_plan *plan, closs_error *error) {
    if (!spec) return refuse(error, CLOSS_NULL_POINTER, -1, "spec is NULL");
    closs_status status = resolve_pass(&spec->shape, CLOSS_MAX_THRESHOLDS, spec->has_ignore_index, spec->ignore_index,
                                       spec->threads, spec->isa, &plan->pass, error);
    if (status == CLOSS_OK) status = check_thresholds(spec, error);
    if (status != CLOSS_OK) return status;
    plan->results = (size_t)(spec->shape.samples * spec->shape.classes) * (size_t)spec->threshold_count;
    plan->totals = room_bytes(plan->results * sizeof(closs_counts)) + CLOSS_MAX_THRESHOLDS * sizeof(float);
    plan->own = sizeof(threshold_sums);
    return CLOSS_OK;
}

size_t closs_threshold_scratch_bytes(const closs_threshold_spec *spec) {
    counting_plan plan;
    return resolve_thresholds(spec, &plan, 0) == CLOSS_OK ? scratch_of(&plan, plan.pass.threads) : 0;
}

// Arithmetic 15.2: where a logit's sigmoid is the threshold.
static float logit_of(float threshold) {
    double t = threshold;
    if (t == 0) return -INFINITY;
    if (t == 1) return INFINITY;
    return (float)(real_log(t) - real_log(1 - t));
}

static closs_status diagnose_thresholds(const threshold_pass *p, closs_error *error) {
    const int64_t limit = channel_labels(p->pass.batch->target, p->pass.shape.classes);
    closs_status status = metric_diagnose_target(&p->pass, limit, error);
    if (status == CLOSS_OK) status = metric_diagnose_values(&p->pass, p->activation == CLOSS_PROBABILITIES, error);
    if (status != CLOSS_OK) return status;
    return refuse(error, CLOSS_OUT_OF_RANGE, -1, "the input changed while it was read");
}

NOT_INLINED static closs_status threshold_counts(const closs_threshold_spec *spec, const closs_metric_batch *batch,
                                                 closs_counts *counts, size_t counts_count, void *scratch,
                                                 size_t scratch_bytes, closs_error *error) {
    counting_plan plan;
    closs_status status = resolve_thresholds(spec, &plan, error);
    if (status != CLOSS_OK) return status;
    const metric_memory memory = {"counts",       counts,  counts_count,  plan.results,
                                  sizeof *counts, scratch, scratch_bytes, scratch_of(&plan, 1)};
    status = metric_check_batch(&spec->shape, 1, 1, batch, &memory, error);
    if (status != CLOSS_OK) return status;
    if (batch->target == CLOSS_DENSE_F32 && spec->has_ignore_index)
        return refuse(error, CLOSS_BAD_OPTION, -1, "ignore_index is set: expected none with dense float targets");
    take_threads(&plan, scratch_bytes);
    char *room = first_room(scratch);
    const size_t counts_bytes = plan.results * sizeof *counts;
    float *thresholds = (float *)(room + room_bytes(counts_bytes));
    for (int k = 0; k < spec->threshold_count; k++)
        thresholds[k] = spec->activation == CLOSS_SIGMOID ? logit_of(spec->thresholds[k]) : spec->thresholds[k];
    threshold_pass pass = {.pass = plan.pass,
                           .activation = spec->activation,
                           .thresholds = thresholds,
                           .count = spec->threshold_count,
                           .sums = (threshold_sums *)(room + room_bytes(plan.totals)),
                           .totals = (closs_counts *)room};
    pass.pass.batch = batch;
    if (run_thresholds(&pass)) return diagnose_thresholds(&pass, error);
    memcpy(counts, pass.totals, counts_bytes);
    return accepted(error);
}

closs_status closs_threshold_counts(const closs_threshold_spec *spec, const closs_metric_batch *batch,
                                    closs_counts *counts, size_t counts_count, void *scratch, size_t scratch_bytes,
                                    closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status = threshold_counts(spec, batch, counts, counts_count, scratch, scratch_bytes, error);
    environment_leave(callers);
    return status;
}
