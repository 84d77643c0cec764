// Distance maps: checks, the metric of a spec, and the two passes.
#include <math.h>

#include "api/check_batch.h"
#include "api/distance_plan.h"
#include "api/label_range.h"
#include "api/refuse.h"
#include "driver/distance_passes.h"
#include "driver/environment.h"
#include "driver/parallel.h"
#include "driver/sweep.h"
#include "kernels/formula.h"
#include "kernels/rooms.h"

enum { PLANES, ROWS, COLUMNS, AXES };

// What 1024 rooms for blocks of as many rows take can still be counted in 64 bits.
static const int64_t MOST_VALUES = (int64_t)1 << 45;

// Squared spacings that differ are this many units at least.
static const double LEAST_STEP = 0x1p20;

// Halves round to infinity from here on.
static const double HALF_LIMIT = 65520;

static const char *const axis_names[AXES] = {"planes", "rows", "columns"};

// ----------------------------------------------------------------------------------------------------- checks ----

static closs_status check_map_extents(const closs_distance_spec *spec, distance_plan *plan, closs_error *error) {
    const int64_t extents[AXES] = {spec->extents.planes, spec->extents.rows, spec->extents.columns};
    int64_t *resolved[AXES] = {&plan->job.planes, &plan->job.rows, &plan->job.columns};
    if (spec->samples < 1)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "samples is %lld: expected at least 1", (long long)spec->samples);
    if (spec->class_count < 1 || spec->class_count > CLOSS_MAX_CLASSES)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "class_count is %d: expected 1 .. %d", spec->class_count,
                      CLOSS_MAX_CLASSES);
    int64_t values = spec->class_count;
    int too_many = __builtin_mul_overflow(values, spec->samples, &values);
    for (int a = 0; a < AXES; a++) {
        *resolved[a] = extents[a] ? extents[a] : 1;
        if (*resolved[a] < 1 || *resolved[a] > 1 << 24)
            return refuse(error, CLOSS_BAD_SHAPE, -1,
                          "extents.%s is %lld: expected 1 .. 16777216, so that squared distances are exact",
                          axis_names[a], (long long)extents[a]);
        too_many |= __builtin_mul_overflow(values, *resolved[a], &values);
    }
    if (too_many || values > MOST_VALUES)
        return refuse(error, CLOSS_BAD_SHAPE, -1,
                      "the map's samples, classes and extents make too many values: expected at most 2^45");
    plan->values = values;
    return CLOSS_OK;
}

static closs_status check_options(const closs_distance_spec *spec, closs_error *error) {
    for (int a = 0; a < AXES; a++)
        if (!(spec->spacing[a] == 0 || (spec->spacing[a] >= 0x1p-40 && spec->spacing[a] <= 0x1p40)))
            return refuse(error, CLOSS_BAD_OPTION, a,
                          "spacing[%d], of %s, is %g: expected a positive length, 2^-40 .. 2^40", a, axis_names[a],
                          spec->spacing[a]);
    if (spec->form < CLOSS_DISTANCE_UNSIGNED || spec->form > CLOSS_DISTANCE_SIGNED)
        return refuse(error, CLOSS_BAD_OPTION, -1, "form is %d: expected a closs_distance_form", (int)spec->form);
    if (spec->boundary < CLOSS_INNER_MINUS_ONE || spec->boundary > CLOSS_INNER_ZERO_UNIT)
        return refuse(error, CLOSS_BAD_OPTION, -1, "boundary is %d: expected a closs_inner_boundary",
                      (int)spec->boundary);
    if (spec->boundary != CLOSS_INNER_MINUS_ONE && spec->form != CLOSS_DISTANCE_SIGNED)
        return refuse(error, CLOSS_BAD_OPTION, -1, "boundary is of signed maps: expected a signed form");
    if (spec->far < CLOSS_FAR_ZERO || spec->far > CLOSS_FAR_INFINITY)
        return refuse(error, CLOSS_BAD_OPTION, -1, "far is %d: expected a closs_distance_far", (int)spec->far);
    if (spec->type < CLOSS_DISTANCE_FLOAT32 || spec->type > CLOSS_DISTANCE_INT16)
        return refuse(error, CLOSS_BAD_OPTION, -1, "type is %d: expected a closs_distance_type", (int)spec->type);
    if (spec->scale != 0 && spec->type != CLOSS_DISTANCE_INT16)
        return refuse(error, CLOSS_BAD_OPTION, -1, "scale is %g: expected 0, as the map is not of 16-bit integers",
                      spec->scale);
    if (spec->scale != 0 && !(isnormal((float)(1 / spec->scale)) && spec->scale > 0))
        return refuse(error, CLOSS_BAD_OPTION, -1, "scale is %g: expected the length of a 16-bit integer's step",
                      spec->scale);
    if (spec->threads < 0)
        return refuse(error, CLOSS_BAD_THREADS, -1, "threads is %d: expected 0 (the default) or more", spec->threads);
    for (int c = 0; spec->classes && c < spec->class_count; c++)
        for (int earlier = 0; earlier < c; earlier++)
            if (spec->classes[earlier] == spec->classes[c])
                return refuse(error, CLOSS_BAD_OPTION, c,
                              "classes[%d] is %lld, as is classes[%d]: expected each class once", c,
                              (long long)spec->classes[c], earlier);
    return CLOSS_OK;
}

// ----------------------------------------------------------------------------------------------------- metric ----

// The squares of the spacings, and of lengths that are made of them. Only axes with several voxels count.
typedef struct squared_lengths {
    double spacing[AXES];
    double least, most;       // spacings; 0: there is no such axis
    double longest, diagonal; // from the first voxel to the last, and one more
    double steps;             // the longest's, along each axis
} squared_lengths;

static squared_lengths square_lengths(const closs_distance_spec *spec, const distance_job *job) {
    const int64_t extents[AXES] = {job->planes, job->rows, job->columns};
    squared_lengths l = {.least = 0};
    for (int a = 0; a < AXES; a++) {
        double spacing = spec->spacing[a] == 0 ? 1 : spec->spacing[a], n = (double)extents[a], reach = n - 1;
        double squared = l.spacing[a] = spacing * spacing;
        if (extents[a] == 1) continue;
        l.diagonal += squared * (n * n);
        if (l.least == 0 || squared < l.least) l.least = squared;
        if (squared > l.most) l.most = squared;
        l.steps += reach * reach;
        l.longest += squared * (reach * reach);
    }
    if (l.most == 0) l.least = l.most = l.diagonal = 1;
    return l;
}

// Arithmetic 12.1: squared spacings as whole multiples of a unit, with a bit more where the least needs it.
static closs_status resolve_unit(const squared_lengths *l, distance_job *job, closs_error *error) {
    const int64_t extents[AXES] = {job->planes, job->rows, job->columns};
    distance_metric *metric = &job->metric;
    metric->unit = l->most;
    if (l->least != l->most) {
        int exponent;
        frexp(l->longest, &exponent);
        metric->unit = ldexp(1, exponent - 51);
        if (nearbyint(l->least / metric->unit) < LEAST_STEP) metric->unit /= 2;
    }
    for (int a = 0; a < AXES; a++) {
        metric->step[a] = extents[a] == 1 ? 1 : nearbyint(l->spacing[a] / metric->unit);
        if (metric->step[a] < LEAST_STEP && l->least != l->most && extents[a] > 1)
            return refuse(error, CLOSS_BAD_OPTION, a,
                          "spacing[%d], of %s, is %g, too small beside the sample's diagonal of %g: where spacings "
                          "differ, expected a diagonal of at most 46340 times the least, for exact squares",
                          a, axis_names[a], sqrt(l->spacing[a]), sqrt(l->longest));
    }
    metric->wide = l->least != l->most || l->steps >= 0x1p30;
    return CLOSS_OK;
}

static void resolve_values(const closs_distance_spec *spec, const squared_lengths *l, distance_metric *metric) {
    metric->diagonal = l->diagonal;
    metric->least = l->least;
    float spacing = (float)sqrt(l->least);
    metric->outer_shift = spec->boundary == CLOSS_INNER_HALF ? spacing / 2 : 0;
    metric->inner_shift = spec->boundary == CLOSS_INNER_HALF        ? spacing / 2
                          : spec->boundary == CLOSS_INNER_ZERO      ? spacing
                          : spec->boundary == CLOSS_INNER_ZERO_UNIT ? 1
                                                                    : 0;
    metric->far_value = 0;
    if (spec->far == CLOSS_FAR_INFINITY) metric->far_value = INFINITY;
    if (spec->far == CLOSS_FAR_DIAGONAL)
        metric->far_value = (float)(spec->form == CLOSS_DISTANCE_SQUARED ? l->diagonal : sqrt(l->diagonal));
}

// Distances that become infinite would say that there is nothing to be far from.
static closs_status check_halves(const closs_distance_spec *spec, const squared_lengths *l, closs_error *error) {
    if (spec->type != CLOSS_DISTANCE_FLOAT16) return CLOSS_OK;
    double most = spec->far == CLOSS_FAR_DIAGONAL ? l->diagonal : l->longest;
    if (spec->form != CLOSS_DISTANCE_SQUARED) most = sqrt(most);
    // Spacings that differ are rounded.
    if (most * (1 + 0x1p-20) < HALF_LIMIT) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_OPTION, -1,
                  "type is float16, and the map's values may reach %g: expected less than 65520, or "
                  "another type, form or unit of length",
                  most);
}

static closs_status resolve_metric(const closs_distance_spec *spec, distance_plan *plan, closs_error *error) {
    const squared_lengths lengths = square_lengths(spec, &plan->job);
    closs_status status = resolve_unit(&lengths, &plan->job, error);
    if (status != CLOSS_OK) return status;
    resolve_values(spec, &lengths, &plan->job.metric);
    return check_halves(spec, &lengths, error);
}

// ------------------------------------------------------------------------------------------------------ plans ----

closs_status distance_resolve(const closs_distance_spec *spec, distance_plan *plan, closs_error *error) {
    if (!spec) return refuse(error, CLOSS_NULL_POINTER, -1, "spec is NULL");
    closs_status status = check_map_extents(spec, plan, error);
    if (status == CLOSS_OK) status = check_options(spec, error);
    if (status == CLOSS_OK) status = resolve_metric(spec, plan, error);
    if (status != CLOSS_OK) return status;
    const kernels *of_isa = kernels_for(spec->isa);
    if (!of_isa) return refuse_isa(spec->isa, error);
    plan->kernels = of_isa->distance;
    plan->threads = threads_for(parallel_threads(spec->threads), plan->values);
    if (plan->threads > MOST_THREADS) plan->threads = MOST_THREADS;
    plan->job.form = spec->form;
    plan->job.keeps_squares = 0;
    plan->job.type = spec->type;
    plan->job.scale = spec->scale == 0 ? 1 : (float)(1 / spec->scale);
    return CLOSS_OK;
}

static size_t steps_bytes(const distance_plan *plan) {
    return plan->job.type == CLOSS_DISTANCE_FLOAT32 ? 0 : (size_t)plan->values * sizeof(int32_t);
}

// The squares of steps across rows and planes, and, where the map cannot hold them, steps.
static size_t fixed_bytes(const distance_plan *plan) {
    return ROOM_ALIGNMENT + distance_squares_bytes(&plan->job) + steps_bytes(plan);
}

// With rooms for blocks.
static size_t bytes_of(const distance_plan *plan, int rooms) {
    return fixed_bytes(plan) + (size_t)rooms * distance_block_bytes(&plan->job);
}

static int rooms_of(const distance_plan *plan, const closs_distance_spec *spec) {
    return distance_rooms(&plan->job, spec->samples * spec->class_count, plan->threads);
}

NOT_INLINED static size_t distance_scratch_bytes(const closs_distance_spec *spec) {
    distance_plan plan;
    return distance_resolve(spec, &plan, 0) == CLOSS_OK ? bytes_of(&plan, rooms_of(&plan, spec)) : 0;
}

size_t closs_distance_scratch_bytes(const closs_distance_spec *spec) {
    float_environment callers = environment_enter();
    size_t bytes = distance_scratch_bytes(spec);
    environment_leave(callers);
    return bytes;
}

// ------------------------------------------------------------------------------------------------------- maps ----

static closs_status check_buffers(const closs_distance_spec *spec, const distance_plan *plan, closs_target target,
                                  const void *labels, size_t labels_count, const void *map, size_t map_count,
                                  const void *scratch, size_t scratch_bytes, closs_error *error) {
    const size_t values = (size_t)plan->values, voxels = values / (size_t)spec->class_count, bytes = bytes_of(plan, 1);
    const size_t map_bytes = values * (plan->job.type == CLOSS_DISTANCE_FLOAT32 ? sizeof(float) : sizeof(uint16_t));
    if (target < CLOSS_LABELS_U8 || target > CLOSS_LABELS_I64)
        return refuse(error, CLOSS_BAD_OPTION, -1, "target is %d: expected labels, CLOSS_LABELS_U8 to CLOSS_LABELS_I64",
                      (int)target);
    if (!labels) return refuse(error, CLOSS_NULL_POINTER, -1, "labels is NULL");
    if (!map) return refuse(error, CLOSS_NULL_POINTER, -1, "map is NULL");
    if (!scratch) return refuse(error, CLOSS_NULL_POINTER, -1, "scratch is NULL: expected %zu bytes", bytes);
    if (labels_count != voxels)
        return refuse(error, CLOSS_WRONG_SIZE, -1,
                      "labels_count is %zu: expected %zu, samples * planes * rows * columns", labels_count, voxels);
    if (map_count != values)
        return refuse(error, CLOSS_WRONG_SIZE, -1,
                      "map_count is %zu: expected %zu, that of the labels times %d classes", map_count, values,
                      spec->class_count);
    if (scratch_bytes < bytes)
        return refuse(error, CLOSS_TOO_SMALL, -1, "scratch_bytes is %zu: expected at least %zu", scratch_bytes, bytes);
    const memory_range ranges[] = {{"labels", labels, voxels * target_bytes(target), 0},
                                   {"map", map, map_bytes, 1},
                                   {"scratch", scratch, scratch_bytes, 1}};
    closs_status status = check_disjoint(ranges, 3, error);
    return status == CLOSS_OK ? check_classes_exist(target, "labels", spec->classes, spec->class_count, error) : status;
}

NOT_INLINED static closs_status distance_map(const closs_distance_spec *spec, closs_target target, const void *labels,
                                             size_t labels_count, void *map, size_t map_count, void *scratch,
                                             size_t scratch_bytes, closs_error *error) {
    distance_plan plan;
    closs_status status = distance_resolve(spec, &plan, error);
    if (status == CLOSS_OK)
        status =
            check_buffers(spec, &plan, target, labels, labels_count, map, map_count, scratch, scratch_bytes, error);
    if (status != CLOSS_OK) return status;
    const int rooms =
        rooms_held(rooms_of(&plan, spec), scratch_bytes, fixed_bytes(&plan), distance_block_bytes(&plan.job));
    char *room = first_room(scratch);
    distance_fill_squares(&plan.job, room);
    distance_maps maps = {.job = &plan.job,
                          .kernels = plan.kernels,
                          .target = target,
                          .labels = labels,
                          .classes = spec->classes,
                          .class_count = spec->class_count,
                          .threads = plan.threads,
                          .samples = spec->samples,
                          .map = map,
                          .blocks = room + distance_squares_bytes(&plan.job),
                          .rooms = rooms};
    maps.steps = plan.job.type == CLOSS_DISTANCE_FLOAT32
                     ? map
                     : (int32_t *)(maps.blocks + (size_t)rooms * distance_block_bytes(&plan.job));
    distance_rows_pass(&maps);
    distance_blocks_pass(&maps);
    return accepted(error);
}

closs_status closs_distance_map(const closs_distance_spec *spec, closs_target target, const void *labels,
                                size_t labels_count, void *map, size_t map_count, void *scratch, size_t scratch_bytes,
                                closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status =
        distance_map(spec, target, labels, labels_count, map, map_count, scratch, scratch_bytes, error);
    environment_leave(callers);
    return status;
}
