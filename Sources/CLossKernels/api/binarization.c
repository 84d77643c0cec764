// DBNet's loss: a plan for each map, and the Dice loss of the binarization of both (arithmetic 10).
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/diagnose.h"
#include "api/evaluation.h"
#include "driver/binarization_passes.h"
#include "driver/environment.h"
#include "driver/selection_passes.h"
#include "sums/wide.h"
#include "terms/selection.h"

struct closs_binarization {
    closs_binarization_spec spec;
    closs_plan *map, *threshold;
};

// --------------------------------------------------------------------------------------------------- creation ----

static closs_status check_options(const closs_binarization_spec *spec, closs_error *error) {
    const struct {
        const char *name;
        double value;
        int may_be_negative;
    } options[] = {{"map_weight", spec->map_weight, 1},           {"threshold_weight", spec->threshold_weight, 1},
                   {"binary_weight", spec->binary_weight, 1},     {"negative_ratio", spec->negative_ratio, 0},
                   {"balance_epsilon", spec->balance_epsilon, 0}, {"dice_epsilon", spec->dice_epsilon, 0},
                   {"smooth_l1_beta", spec->smooth_l1_beta, 0}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (!isfinite(options[i].value) || (!options[i].may_be_negative && options[i].value < 0))
            return refuse(error, CLOSS_BAD_OPTION, -1, "%s is %g: expected a finite number%s", options[i].name,
                          options[i].value, options[i].may_be_negative ? "" : " of at least 0");
    if (!isnormal((float)spec->steepness) || spec->steepness < 0)
        return refuse(error, CLOSS_BAD_OPTION, -1, "steepness is %g: expected a number above 0, normal as a float",
                      spec->steepness);
    if (spec->minimum_negatives < 0)
        return refuse(error, CLOSS_BAD_OPTION, -1, "minimum_negatives is %lld: expected at least 0",
                      (long long)spec->minimum_negatives);
    if (spec->fallback_negatives < 0)
        return refuse(error, CLOSS_BAD_OPTION, -1, "fallback_negatives is %lld: expected at least 0",
                      (long long)spec->fallback_negatives);
    if (spec->activation != CLOSS_SIGMOID && spec->activation != CLOSS_PROBABILITIES)
        return refuse_activation(spec->activation, error);
    if (spec->main != CLOSS_BINARIZATION_BALANCED && spec->main != CLOSS_BINARIZATION_DICE)
        return refuse(error, CLOSS_BAD_OPTION, -1, "main is %d: expected a closs_binarization_main", (int)spec->main);
    return CLOSS_OK;
}

static closs_term main_term(const closs_binarization_spec *spec) {
    if (spec->main == CLOSS_BINARIZATION_DICE)
        return (closs_term){.kind = CLOSS_DICE,
                            .weight = spec->map_weight,
                            .of.region = {.smooth_denominator = spec->dice_epsilon,
                                          .denominator = CLOSS_LINEAR,
                                          .scope = CLOSS_PER_BATCH}};
    return (closs_term){.kind = CLOSS_BALANCED_BINARY_CROSS_ENTROPY,
                        .weight = spec->map_weight,
                        .of.balanced_binary_cross_entropy = {.negative_ratio = spec->negative_ratio,
                                                             .minimum_negatives = spec->minimum_negatives,
                                                             .epsilon = spec->balance_epsilon,
                                                             .scope = CLOSS_PER_BATCH,
                                                             .fallback_negatives = spec->fallback_negatives}};
}

static closs_term threshold_term(const closs_binarization_spec *spec) {
    return (closs_term){.kind = spec->smooth_l1_beta > 0 ? CLOSS_SMOOTH_L1 : CLOSS_ABSOLUTE_ERROR,
                        .weight = spec->threshold_weight,
                        .of.probability_error = {.beta = spec->smooth_l1_beta, .divisor = CLOSS_DIVIDE_BY_VALID}};
}

static closs_status create_map_plan(const closs_binarization_spec *spec, closs_term term, closs_plan **plan,
                                    closs_error *error) {
    closs_spec each = {.shape = {spec->samples, 1, spec->voxels},
                       .activation = spec->activation,
                       .terms = &term,
                       .term_count = 1,
                       .threads = spec->threads,
                       .isa = spec->isa};
    return closs_plan_create(&each, plan, error);
}

closs_status closs_binarization_create(const closs_binarization_spec *spec, closs_binarization **made,
                                       closs_error *error) {
    if (!made) return refuse(error, CLOSS_NULL_POINTER, -1, "made is NULL");
    *made = 0;
    if (!spec) return refuse(error, CLOSS_NULL_POINTER, -1, "spec is NULL");
    closs_status status = check_options(spec, error);
    if (status != CLOSS_OK) return status;
    closs_binarization *b = calloc(1, sizeof *b);
    if (!b) return refuse(error, CLOSS_OUT_OF_MEMORY, -1, "no memory for the binarization");
    b->spec = *spec;
    status = create_map_plan(spec, main_term(spec), &b->map, error);
    if (status == CLOSS_OK) status = create_map_plan(spec, threshold_term(spec), &b->threshold, error);
    if (status != CLOSS_OK) {
        closs_binarization_destroy(b);
        return status;
    }
    *made = b;
    return accepted(error);
}

void closs_binarization_destroy(closs_binarization *binarization) {
    if (!binarization) return;
    closs_plan_destroy(binarization->map);
    closs_plan_destroy(binarization->threshold);
    free(binarization);
}

size_t closs_binarization_scratch_bytes(const closs_binarization *binarization) {
    return binarization ? scratch_bytes(binarization->map) + scratch_bytes(binarization->threshold) : 0;
}

// ----------------------------------------------------------------------------------------------------- checks ----

// Rows of a map or of its gradient.
typedef struct map_rows {
    const char *name;
    const float *values;
    size_t count;
    int64_t stride;
} map_rows;

static closs_status check_rows(const closs_binarization_spec *spec, map_rows *rows, closs_error *error) {
    if (!rows->values) return refuse(error, CLOSS_NULL_POINTER, -1, "%s is NULL", rows->name);
    if (rows->stride == 0) rows->stride = spec->voxels;
    if (rows->stride < spec->voxels || rows->stride > INT64_MAX / 8 / spec->samples)
        return refuse(error, CLOSS_BAD_OPTION, -1,
                      "%s.stride is %lld: expected 0 or at least %lld, the voxels of a sample", rows->name,
                      (long long)rows->stride, (long long)spec->voxels);
    size_t needed = (size_t)((spec->samples - 1) * rows->stride + spec->voxels);
    if (rows->count < needed || (rows->stride == spec->voxels && rows->count != needed))
        return refuse(error, CLOSS_WRONG_SIZE, -1, "%s.count is %zu: expected %s%zu", rows->name, rows->count,
                      rows->stride == spec->voxels ? "" : "at least ", needed);
    return CLOSS_OK;
}

// Whether a row of one meets a row of the other, or what lies in [start, end).
static int rows_meet(const closs_binarization_spec *spec, const map_rows *a, const map_rows *b) {
    intptr_t row = (intptr_t)spec->voxels * (intptr_t)sizeof(float),
             step = (intptr_t)b->stride * (intptr_t)sizeof(float);
    for (int64_t i = 0; i < spec->samples; i++) {
        intptr_t ahead = (intptr_t)(a->values + i * a->stride) - (intptr_t)b->values;
        // Rows of b that begin above ahead - row and below ahead + row meet it.
        intptr_t first = ahead - row < 0 ? 0 : (ahead - row) / step + 1;
        if (first < spec->samples && first * step < ahead + row) return 1;
    }
    return 0;
}

typedef struct binarization_call {
    evaluation map, threshold;
    closs_batch map_batch, threshold_batch;
    closs_gradient_buffer map_gradient, threshold_gradient;
    closs_result map_result, threshold_result;
    double main, l1;
    binarization_maps maps;
    binarization_totals_words totals;
    binarization_scaled scaled;
    double dice;
} binarization_call;

// Says which map was at fault, and calls the threshold map's buffers by their names in this call.
static closs_status of_map(const char *name, closs_status status, closs_error *error) {
    static const char *const names[][2] = {
        {"targets", "threshold_map"}, {"dense float targets", "threshold_map"}, {"mask", "threshold_mask"}};
    if (status == CLOSS_OK || !error) return status;
    char message[sizeof error->message];
    memcpy(message, error->message, sizeof message);
    const char *rest = message, *of_call = "";
    for (size_t i = 0; strcmp(name, "threshold") == 0 && i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i][0]);
        if (strncmp(message, names[i][0], length)) continue;
        rest = message + length;
        of_call = names[i][1];
        break;
    }
    snprintf(error->message, sizeof error->message, "%s: %s%.200s", name, of_call, rest);
    return status;
}

static closs_view view_of(const closs_binarization_spec *spec, const map_rows *rows) {
    if (rows->stride == spec->voxels) return (closs_view){0};
    return (closs_view){rows->stride, spec->voxels, spec->voxels, spec->voxels, 1};
}

static closs_gradient_buffer gradient_of(const closs_binarization_spec *spec, const map_rows *rows,
                                         const closs_binarization_gradient *gradient) {
    return (closs_gradient_buffer){.values = (float *)(uintptr_t)rows->values,
                                   .count = rows->count,
                                   .write = gradient->write,
                                   .scale = gradient->scale,
                                   .view = view_of(spec, rows)};
}

// A map's own range among those of its call: by its name, since another buffer may wrongly begin where a map does.
static int is_range_of_map(const binarization_call *call, const memory_range *range) {
    if (strcmp(range->name, "gradient") == 0) return 1;
    int input = range->start == call->map_batch.logits || range->start == call->threshold_batch.logits;
    return input && !range->written &&
           (strcmp(range->name, "logits") == 0 || strcmp(range->name, "probabilities") == 0);
}

// What is written must meet nothing else; the maps' rows are looked at one by one, since channels of one buffer may lie
// in each other's gaps.
static closs_status check_meetings(const closs_binarization_spec *spec, const map_rows *rows, int count,
                                   const closs_binarization_result *result, const binarization_call *call,
                                   closs_error *error) {
    for (int i = 2; i < count; i++)
        for (int j = 0; j < i; j++)
            if (rows_meet(spec, &rows[i], &rows[j]))
                return refuse(error, CLOSS_OVERLAP, -1, "%s and %s overlap", rows[i].name, rows[j].name);
    // The others lie in one piece: here the rows of a map are taken as the pieces that they are.
    memory_range others[2 * CALL_RANGES + 1];
    int listed = call_ranges(&call->map.part, &call->map.memory, others);
    listed += call_ranges(&call->threshold.part, &call->threshold.memory, others + listed);
    others[listed++] = (memory_range){"result", result, sizeof *result, 1};
    int kept = 0;
    for (int i = 0; i < listed; i++) {
        if (!others[i].start || is_range_of_map(call, &others[i])) continue;
        for (int j = 0; j < count; j++) {
            for (int64_t n = 0; n < spec->samples; n++) {
                const char *row = (const char *)(rows[j].values + n * rows[j].stride);
                const char *start = others[i].start;
                int meet = row < start + others[i].bytes && start < row + spec->voxels * (int64_t)sizeof(float);
                if (meet && (j >= 2 || others[i].written))
                    return refuse(error, CLOSS_OVERLAP, -1, "%s and %s overlap", rows[j].name, others[i].name);
            }
        }
        others[kept++] = others[i];
    }
    return check_disjoint(others, kept, error);
}

static closs_status check_call(const closs_binarization *b, const closs_binarization_batch *batch,
                               const closs_binarization_gradient *gradient, const closs_binarization_result *result,
                               void *memory, size_t memory_bytes, binarization_call *call, closs_error *error) {
    if (!b) return refuse(error, CLOSS_NULL_POINTER, -1, "binarization is NULL");
    if (!batch) return refuse(error, CLOSS_NULL_POINTER, -1, "batch is NULL");
    if (!result) return refuse(error, CLOSS_NULL_POINTER, -1, "result is NULL");
    if (!memory) return refuse(error, CLOSS_NULL_POINTER, -1, "scratch is NULL");
    const closs_binarization_spec *spec = &b->spec;
    if (memory_bytes < closs_binarization_scratch_bytes(b))
        return refuse(error, CLOSS_TOO_SMALL, -1, "scratch has %zu bytes: expected at least %zu", memory_bytes,
                      closs_binarization_scratch_bytes(b));
    if (batch->target != CLOSS_DENSE_U8 && batch->target != CLOSS_DENSE_F32)
        return refuse(error, CLOSS_BAD_OPTION, -1, "target is %d: expected CLOSS_DENSE_U8 or CLOSS_DENSE_F32",
                      (int)batch->target);
    map_rows rows[4] = {{"map", batch->map.values, batch->map.count, batch->map.stride},
                        {"threshold", batch->threshold.values, batch->threshold.count, batch->threshold.stride}};
    int count = 2;
    if (gradient) {
        rows[count++] = (map_rows){"gradient.map", gradient->map.values, gradient->map.count, gradient->map.stride};
        rows[count++] = (map_rows){"gradient.threshold", gradient->threshold.values, gradient->threshold.count,
                                   gradient->threshold.stride};
    }
    for (int i = 0; i < count; i++) {
        closs_status status = check_rows(spec, &rows[i], error);
        if (status != CLOSS_OK) return status;
    }
    call->map_batch = (closs_batch){.logits = rows[0].values,
                                    .logits_count = rows[0].count,
                                    .logits_view = view_of(spec, &rows[0]),
                                    .target = batch->target,
                                    .targets = batch->targets,
                                    .targets_count = batch->targets_count,
                                    .mask = batch->mask,
                                    .mask_count = batch->mask_count};
    call->threshold_batch = (closs_batch){.logits = rows[1].values,
                                          .logits_count = rows[1].count,
                                          .logits_view = view_of(spec, &rows[1]),
                                          .target = CLOSS_DENSE_F32,
                                          .targets = batch->threshold_map,
                                          .targets_count = batch->threshold_map_count,
                                          .mask = batch->threshold_mask,
                                          .mask_count = batch->threshold_mask_count};
    if (gradient) {
        call->map_gradient = gradient_of(spec, &rows[2], gradient);
        call->threshold_gradient = gradient_of(spec, &rows[3], gradient);
    }
    call->map_result = (closs_result){.terms = &call->main, .terms_count = 1};
    call->threshold_result = (closs_result){.terms = &call->l1, .terms_count = 1};
    size_t bytes = scratch_bytes(b->map);
    closs_status status =
        of_map("map",
               evaluation_check(&call->map, b->map, &call->map_batch, gradient ? &call->map_gradient : 0,
                                &call->map_result, memory, bytes, error),
               error);
    if (status == CLOSS_OK)
        status = of_map("threshold",
                        evaluation_check(&call->threshold, b->threshold, &call->threshold_batch,
                                         gradient ? &call->threshold_gradient : 0, &call->threshold_result,
                                         (char *)memory + bytes, memory_bytes - bytes, error),
                        error);
    if (status == CLOSS_OK) status = check_meetings(spec, rows, count, result, call, error);
    call->maps = (binarization_maps){.first = {.map = rows[0].values,
                                               .threshold = rows[1].values,
                                               .logits = spec->activation == CLOSS_SIGMOID,
                                               .balanced = b->map->formula.balanced,
                                               .error = &b->threshold->formula.pointwise[0],
                                               .steepness = (float)spec->steepness,
                                               .target = batch->target,
                                               .targets = batch->targets,
                                               .mask = batch->mask,
                                               .threshold_map = batch->threshold_map,
                                               .threshold_mask = batch->threshold_mask,
                                               .map_gradient = gradient ? gradient->map.values : 0,
                                               .threshold_gradient = gradient ? gradient->threshold.values : 0,
                                               .voxels = spec->voxels},
                                     .samples = spec->samples,
                                     .map_stride = rows[0].stride,
                                     .threshold_stride = rows[1].stride,
                                     .map_gradient_stride = rows[2].stride,
                                     .threshold_gradient_stride = rows[3].stride,
                                     .map_plan = b->map,
                                     .threshold_plan = b->threshold};
    if (gradient && gradient->write == CLOSS_ADD) call->maps.first.store = STORE_ADD;
    return status;
}

// --------------------------------------------------------------------------------------------------- evaluate ----

// A sweep over both maps says that a value is bad; each map's own says which.
static closs_status refuse_value(binarization_call *call, closs_error *error) {
    closs_status status = of_map("map", evaluation_prepare(&call->map, error), error);
    if (status == CLOSS_OK) status = of_map("threshold", evaluation_prepare(&call->threshold, error), error);
    if (status != CLOSS_OK) return status;
    return refuse(error, CLOSS_OUT_OF_RANGE, -1, "the input changed while it was read");
}

static void clear_totals(const evaluation *e) {
    memset(e->scratch.totals, 0, e->part.plan->totals.count * sizeof *e->scratch.totals);
}

// The sums of both maps, and the hardest negatives.
static closs_status prepare_totals(binarization_call *call, int losses, closs_error *error) {
    const evaluation *map = &call->map;
    clear_totals(map);
    clear_totals(&call->threshold);
    call->totals.map = map->scratch.totals;
    call->totals.threshold = call->threshold.scratch.totals;
    if (binarization_totals_pass(&call->maps, &call->totals)) return refuse_value(call, error);
    if (!call->maps.first.balanced) return CLOSS_OK;
    const int64_t counts[] = {call->totals.positives, call->totals.negatives};
    sweep_fault found =
        selection_counted_pass(&map->part, counts, losses, map->scratch.totals, &map->scratch.selection);
    return found.found ? of_map("map", diagnose(&map->part, &found, error), error) : CLOSS_OK;
}

// Arithmetic 10.2.
static closs_status prepare_dice(const closs_binarization_spec *spec, const closs_binarization_gradient *gradient,
                                 binarization_call *call, closs_error *error) {
    double product = wide_double(wide_value(call->totals.product), PROBABILITY_QUANTUM);
    double binary = wide_double(wide_value(call->totals.binary), PROBABILITY_QUANTUM);
    double target = wide_double(wide_value(call->totals.target), PROBABILITY_QUANTUM);
    double numerator = 2 * product, denominator = (binary + target) + spec->dice_epsilon;
    double f = spec->binary_weight, a = 0, c = 0;
    call->dice = 0;
    if (denominator > 0) {
        call->dice = 1 - numerator / denominator;
        a = -(f * 2) / denominator;
        c = f * ((numerator / denominator) / denominator);
    }
    if (!gradient) return CLOSS_OK;
    binarization_scaled *scaled = &call->scaled;
    scaled->scale = gradient->scale;
    scaled->binary_target = (float)a * gradient->scale;
    scaled->binary_constant = (float)c * gradient->scale;
    if (!isfinite((float)spec->steepness * (fabsf(scaled->binary_target) + fabsf(scaled->binary_constant))))
        return refuse(error, CLOSS_OUT_OF_RANGE, -1,
                      "a coefficient of the binary map's gradient, %g times the scale %g, is beyond the range of float",
                      a, (double)gradient->scale);
    return CLOSS_OK;
}

static void write_gradients(binarization_call *call) {
    const scratch *map = &call->map.scratch;
    const closs_plan *plan = call->map.part.plan;
    call->scaled.map = map->coefficients;
    call->scaled.threshold = call->threshold.scratch.coefficients;
    call->scaled.tie_ends = map->selection.tie_ends;
    find_tie_ends(&call->map.part, map->coefficients, map->selection.tie_ends);
    if (plan->formula.balanced) memset(map->balanced_losses, 0, (size_t)call->maps.samples * 2 * sizeof(int64_t));
    binarization_gradient_pass(&call->maps, &call->scaled, map->balanced_losses);
    if (plan->formula.balanced) selection_set_losses(plan, map->balanced_losses, map->totals);
}

NOT_INLINED static closs_status evaluate_binarization(const closs_binarization *b,
                                                      const closs_binarization_batch *batch,
                                                      const closs_binarization_gradient *gradient,
                                                      closs_binarization_result *result, void *memory,
                                                      size_t memory_bytes, closs_error *error) {
    binarization_call call = {0};
    closs_status status = check_call(b, batch, gradient, result, memory, memory_bytes, &call, error);
    if (status == CLOSS_OK) status = prepare_totals(&call, !gradient, error);
    if (status == CLOSS_OK) status = of_map("map", evaluation_coefficients(&call.map, error), error);
    if (status == CLOSS_OK) status = of_map("threshold", evaluation_coefficients(&call.threshold, error), error);
    if (status == CLOSS_OK) status = prepare_dice(&b->spec, gradient, &call, error);
    if (status != CLOSS_OK) return status;
    if (gradient) write_gradients(&call);
    evaluation_finish(&call.map);
    evaluation_finish(&call.threshold);
    double value = b->spec.map_weight * call.main + b->spec.threshold_weight * call.l1;
    *result = (closs_binarization_result){value + b->spec.binary_weight * call.dice, call.main, call.l1, call.dice};
    return accepted(error);
}

closs_status closs_binarization_evaluate(const closs_binarization *binarization, const closs_binarization_batch *batch,
                                         const closs_binarization_gradient *gradient, closs_binarization_result *result,
                                         void *scratch, size_t scratch_bytes, closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status = evaluate_binarization(binarization, batch, gradient, result, scratch, scratch_bytes, error);
    environment_leave(callers);
    return status;
}
