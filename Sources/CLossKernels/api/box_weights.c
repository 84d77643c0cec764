// Weights of box averages: checks, sums where weights are rescaled, and the map.
#include <string.h>

#include "api/label_range.h"
#include "api/weight_map.h"
#include "driver/environment.h"
#include "driver/weights_passes.h"
#include "kernels/formula.h"
#include "sums/wide.h"

static const char *const axis_names[WEIGHTS_AXES] = {"planes", "rows", "columns"};

static const int64_t MOST_WINDOW = 1 << 24; // counts are exact as floats
static const double MOST_AMPLITUDE = 0x1p16, LEAST_AMPLITUDE = 0x1p-16, MOST_STEEPNESS = 32;
static const size_t STREAMING_MAP_BYTES = 4u << 20;

typedef struct box_plan {
    box_job job;
    const weight_kernels *kernels;
    int threads;
    int64_t samples, voxels; // of a sample
    int waits;               // weights have a scale, which is not known before their sum
} box_plan;

// ----------------------------------------------------------------------------------------------------- checks ----

static closs_status check_box_extents(const closs_box_weights_spec *spec, box_plan *plan, closs_error *error) {
    const int64_t extents[WEIGHTS_AXES] = {spec->extents.planes, spec->extents.rows, spec->extents.columns};
    if (spec->samples < 1)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "samples is %lld: expected at least 1", (long long)spec->samples);
    plan->samples = spec->samples;
    plan->voxels = 1;
    for (int a = 0; a < WEIGHTS_AXES; a++) {
        int64_t extent = extents[a] ? extents[a] : 1;
        if (extent < 1 || extent > 1 << 24)
            return refuse(error, CLOSS_BAD_SHAPE, -1, "extents.%s is %lld: expected 1 .. 16777216", axis_names[a],
                          (long long)extents[a]);
        plan->job.extents[a] = extent;
        if (plan->voxels > WEIGHT_MAP_MOST_VALUES / extent)
            return refuse(error, CLOSS_BAD_SHAPE, -1, "the map's extents make too many values: expected at most 2^56");
        plan->voxels *= extent;
    }
    if (plan->voxels > WEIGHT_MAP_MOST_VALUES / spec->samples)
        return refuse(error, CLOSS_BAD_SHAPE, -1,
                      "the map's %lld samples make too many values of %lld each: expected at most 2^56",
                      (long long)spec->samples, (long long)plan->voxels);
    return CLOSS_OK;
}

static closs_status check_window(const closs_box_weights_spec *spec, box_job *job, closs_error *error) {
    job->window = 1;
    for (int a = 0; a < WEIGHTS_AXES; a++) {
        const int64_t w = spec->window[a], farthest = job->extents[a] - 1;
        if (w < 1 || w > MOST_WINDOW / job->window)
            return refuse(error, CLOSS_BAD_OPTION, a,
                          "window[%d], of %s, is %lld: expected at least 1, and a window of at most 16777216 voxels", a,
                          axis_names[a], (long long)w);
        job->window *= w;
        job->before[a] = (w - 1) / 2 < farthest ? (w - 1) / 2 : farthest;
        job->after[a] = w / 2 < farthest ? w / 2 : farthest;
    }
    return CLOSS_OK;
}

static closs_status check_box_options(const closs_box_weights_spec *spec, closs_error *error) {
    if (spec->form < CLOSS_BOX_BOUNDARY || spec->form > CLOSS_BOX_BORDER)
        return refuse(error, CLOSS_BAD_OPTION, -1, "form is %d: expected a closs_box_form", (int)spec->form);
    if (spec->padding < CLOSS_PADDING_EXCLUDED || spec->padding > CLOSS_PADDING_COUNTED)
        return refuse(error, CLOSS_BAD_OPTION, -1, "padding is %d: expected a closs_box_padding", (int)spec->padding);
    if (spec->mean < CLOSS_MEAN_OF_BATCH || spec->mean > CLOSS_MEAN_FREE)
        return refuse(error, CLOSS_BAD_OPTION, -1, "mean is %d: expected a closs_weights_mean", (int)spec->mean);
    const double least = spec->form == CLOSS_BOX_BOUNDARY ? LEAST_AMPLITUDE : 0;
    if (!(spec->amplitude >= least && spec->amplitude <= MOST_AMPLITUDE))
        return refuse(error, CLOSS_BAD_OPTION, -1, "amplitude is %g: expected %g .. %g", spec->amplitude, least,
                      MOST_AMPLITUDE);
    if (spec->form == CLOSS_BOX_BOUNDARY && !(spec->steepness >= 0 && spec->steepness <= MOST_STEEPNESS))
        return refuse(error, CLOSS_BAD_OPTION, -1, "steepness is %g: expected 0 .. %g", spec->steepness,
                      MOST_STEEPNESS);
    if (spec->form == CLOSS_BOX_BOUNDARY && !(spec->lower == 0 && spec->upper == 0))
        return refuse(error, CLOSS_BAD_OPTION, -1, "lower is %g, upper %g: expected 0, as they are of borders",
                      spec->lower, spec->upper);
    if (spec->form == CLOSS_BOX_BORDER && spec->steepness != 0)
        return refuse(error, CLOSS_BAD_OPTION, -1, "steepness is %g: expected 0, as it is of boundaries",
                      spec->steepness);
    if (spec->form == CLOSS_BOX_BORDER && !(spec->lower >= 0 && spec->lower < spec->upper && spec->upper <= 1))
        return refuse(error, CLOSS_BAD_OPTION, -1, "lower is %g, upper %g: expected 0 <= lower < upper <= 1",
                      spec->lower, spec->upper);
    if (spec->threads < 0)
        return refuse(error, CLOSS_BAD_THREADS, -1, "threads is %d: expected 0 (the default) or more", spec->threads);
    if (spec->class_count < 0 || spec->class_count > CLOSS_MAX_CLASSES)
        return refuse(error, CLOSS_BAD_OPTION, -1, "class_count is %d: expected 0 .. %d", spec->class_count,
                      CLOSS_MAX_CLASSES);
    if (!spec->classes != !spec->class_count)
        return refuse(error, CLOSS_BAD_OPTION, -1, "class_count is %d, and classes %s", spec->class_count,
                      spec->classes ? "are there" : "is NULL");
    return CLOSS_OK;
}

static closs_status resolve_box(const closs_box_weights_spec *spec, box_plan *plan, closs_error *error) {
    if (!spec) return refuse(error, CLOSS_NULL_POINTER, -1, "spec is NULL");
    *plan = (box_plan){0};
    closs_status status = check_box_extents(spec, plan, error);
    if (status == CLOSS_OK) status = check_window(spec, &plan->job, error);
    if (status == CLOSS_OK) status = check_box_options(spec, error);
    if (status != CLOSS_OK) return status;
    const kernels *of_isa = kernels_for(spec->isa);
    if (!of_isa) return refuse_isa(spec->isa, error);
    plan->kernels = of_isa->weights;
    plan->threads = weight_map_threads(spec->threads, plan->samples * plan->voxels);
    const int64_t lines = plan->samples * box_lines(&plan->job); // a thread without any needs no room
    if (lines < plan->threads) plan->threads = (int)lines;
    box_job *job = &plan->job;
    job->excludes_padding = spec->padding == CLOSS_PADDING_EXCLUDED;
    job->classes = spec->classes;
    job->class_count = spec->class_count;
    job->form = spec->form;
    job->steepness = (float)spec->steepness;
    job->lower = spec->lower;
    job->upper = spec->upper;
    plan->waits = spec->mean != CLOSS_MEAN_FREE;
    return CLOSS_OK;
}

// What labels of a type cannot be is a mistake, not an absent class.
static closs_status check_box_classes(const closs_box_weights_spec *spec, closs_target target, closs_error *error) {
    if ((target < CLOSS_LABELS_U8 || target > CLOSS_LABELS_I64) && target != CLOSS_DENSE_U8)
        return refuse(error, CLOSS_BAD_OPTION, -1,
                      "target is %d: expected labels, CLOSS_LABELS_U8 to CLOSS_LABELS_I64, or CLOSS_DENSE_U8",
                      (int)target);
    if (target == CLOSS_DENSE_U8 && spec->class_count)
        return refuse(error, CLOSS_BAD_OPTION, -1, "class_count is %d: expected 0, as a mask has no classes",
                      spec->class_count);
    if (target != CLOSS_DENSE_U8 && !spec->class_count)
        return refuse(error, CLOSS_BAD_OPTION, -1, "class_count is 0: expected the labels that are inside");
    if (!spec->class_count) return CLOSS_OK;
    return check_classes_exist(target, "labels", spec->classes, spec->class_count, error);
}

// ----------------------------------------------------------------------------------------------------- scratch ----

static size_t sums_bytes(const box_plan *plan) {
    return (size_t)plan->samples * (sizeof(box_values) + BOX_SUM_WORDS * sizeof(int64_t));
}

static size_t alike_bytes(const box_plan *plan) {
    if (!plan->waits) return 0;
    return (size_t)(plan->samples * box_all_rows(&plan->job) * (box_padded(&plan->job) / BOX_LANES)) * sizeof(float);
}

static size_t box_scratch_bytes(const box_plan *plan) {
    return ROOM_ALIGNMENT + (size_t)plan->threads * box_room_bytes(&plan->job) + sums_bytes(plan) + alike_bytes(plan);
}

size_t closs_box_weights_scratch_bytes(const closs_box_weights_spec *spec) {
    box_plan plan;
    return resolve_box(spec, &plan, 0) == CLOSS_OK ? box_scratch_bytes(&plan) : 0;
}

// ------------------------------------------------------------------------------------------------------ values ----

// Arithmetic 14.2 and 14.3: the weights of voxels whose sums are `words`.
static box_values values_of(const closs_box_weights_spec *spec, const int64_t *words, int64_t voxels) {
    const double n = (double)voxels;
    if (spec->form == CLOSS_BOX_BOUNDARY) {
        double scale = spec->amplitude;
        if (words) scale = n / wide_double(wide_value(words), PROBABILITY_QUANTUM);
        return (box_values){.high = (float)scale};
    }
    double scale = 1;
    if (words) scale = n / (n + spec->amplitude * (double)words[WIDE_WORDS]);
    return (box_values){.low = (float)scale, .high = (float)((1 + spec->amplitude) * scale)};
}

static void find_values(const closs_box_weights_spec *spec, const box_plan *plan, int64_t *sums, box_values *values) {
    const int64_t *of_batch = 0;
    if (spec->mean == CLOSS_MEAN_OF_BATCH) {
        for (int64_t s = 1; s < plan->samples; s++)
            for (int w = 0; w < BOX_SUM_WORDS; w++) sums[w] += sums[s * BOX_SUM_WORDS + w];
        of_batch = sums;
    }
    for (int64_t s = 0; s < plan->samples; s++) {
        if (spec->mean == CLOSS_MEAN_OF_SAMPLE)
            values[s] = values_of(spec, sums + s * BOX_SUM_WORDS, plan->voxels);
        else
            values[s] = values_of(spec, of_batch, plan->voxels * plan->samples);
    }
}

static int is_streaming(const box_plan *plan, const float *map) {
    const size_t bytes = (size_t)(plan->samples * plan->voxels) * sizeof *map;
    const size_t row = (size_t)plan->job.extents[WEIGHTS_COLUMNS] * sizeof *map;
    return bytes >= STREAMING_MAP_BYTES && ((uintptr_t)map | row) % 64 == 0;
}

NOT_INLINED static closs_status box_weights(const closs_box_weights_spec *spec, closs_target target, const void *labels,
                                            size_t labels_count, float *map, size_t map_count, void *scratch,
                                            size_t scratch_bytes, closs_error *error) {
    box_plan plan;
    closs_status status = resolve_box(spec, &plan, error);
    if (status == CLOSS_OK) status = check_box_classes(spec, target, error);
    // Scratch that was sized for fewer threads is used by so many.
    while (status == CLOSS_OK && plan.threads > 1 && box_scratch_bytes(&plan) > scratch_bytes) plan.threads--;
    const weight_map_buffers buffers = {target, labels, labels_count, map, map_count, scratch, scratch_bytes};
    if (status == CLOSS_OK)
        status = check_weight_map(&buffers, (size_t)(plan.samples * plan.voxels), box_scratch_bytes(&plan), error);
    if (status != CLOSS_OK) return status;
    plan.job.target = target;
    char *rooms = first_room(scratch);
    int64_t *sums = (int64_t *)(rooms + (size_t)plan.threads * box_room_bytes(&plan.job));
    box_values *values = (box_values *)(sums + plan.samples * BOX_SUM_WORDS);
    box_maps maps = {.job = &plan.job,
                     .kernels = plan.kernels,
                     .labels = labels,
                     .samples = plan.samples,
                     .threads = plan.threads,
                     .rooms = rooms,
                     .map = {.weights = map, .alike = plan.waits ? (float *)(values + plan.samples) : 0}};
    if (plan.waits) {
        memset(sums, 0, (size_t)plan.samples * BOX_SUM_WORDS * sizeof *sums);
        maps.sums = sums;
        box_weights_pass(&maps);
    }
    find_values(spec, &plan, sums, values);
    for (int64_t s = 0; s < plan.samples; s++) values[s].streaming = is_streaming(&plan, map);
    maps.values = values;
    if (plan.waits)
        box_scale_pass(&maps);
    else
        box_weights_pass(&maps);
    return accepted(error);
}

closs_status closs_box_weights(const closs_box_weights_spec *spec, closs_target target, const void *labels,
                               size_t labels_count, float *map, size_t map_count, void *scratch, size_t scratch_bytes,
                               closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status =
        box_weights(spec, target, labels, labels_count, map, map_count, scratch, scratch_bytes, error);
    environment_leave(callers);
    return status;
}
