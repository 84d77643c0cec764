// Distances between surfaces: checks, memory, and the numbers of each sample and class (arithmetic 15.4).
#include <math.h>

#include "api/distance_plan.h"
#include "api/label_range.h"
#include "api/metric_checks.h"
#include "driver/distance_passes.h"
#include "driver/environment.h"
#include "driver/surface_passes.h"
#include "driver/sweep.h"

typedef struct surface_plan {
    distance_plan distance;
    const metric_kernels *kernels;
    closs_shape shape; // of the label maps
    int threads, rooms;
    size_t squares, room, members, surfaces, maps, ends, nothing; // bytes of scratch
} surface_plan;

static size_t fixed_bytes(const surface_plan *plan) {
    return ROOM_ALIGNMENT + plan->squares + plan->members + plan->surfaces + plan->maps + plan->ends + plan->nothing;
}

static size_t bytes_of(const surface_plan *plan, int rooms) { return fixed_bytes(plan) + (size_t)rooms * plan->room; }

static void size_memory(surface_plan *plan) {
    const distance_job *job = &plan->distance.job;
    const size_t voxels = (size_t)plan->shape.voxels;
    plan->rooms = distance_rooms(job, SURFACES, plan->threads);
    plan->squares = room_bytes(distance_squares_bytes(job));
    plan->room = distance_block_bytes(job);
    plan->members = room_bytes(SURFACES * voxels);
    plan->surfaces = room_bytes(SURFACES * voxels);
    plan->maps = room_bytes(SURFACES * voxels * sizeof(float));
    plan->ends = room_bytes((size_t)(job->planes * job->rows) * 2 * sizeof(int32_t));
    plan->nothing = room_bytes((size_t)job->columns);
}

// Where the true class is ignored its surface would be missing, whatever the labels.
static closs_status check_ignored(const closs_surface_spec *spec, closs_error *error) {
    const int64_t ignored = spec->ignore_index;
    if (!spec->has_ignore_index) return CLOSS_OK;
    if (!spec->classes && ignored >= 0 && ignored < spec->class_count)
        return refuse(error, CLOSS_BAD_OPTION, ignored, "ignore_index is %lld: expected none of the classes 0 .. %d",
                      (long long)ignored, spec->class_count - 1);
    for (int c = 0; spec->classes && c < spec->class_count; c++)
        if (spec->classes[c] == ignored)
            return refuse(error, CLOSS_BAD_OPTION, c, "classes[%d] is %lld, as is ignore_index: expected another", c,
                          (long long)ignored);
    return CLOSS_OK;
}

static closs_status check_classes(const closs_surface_spec *spec, const closs_metric_batch *batch, closs_error *error) {
    closs_status status = check_classes_exist(batch->target, "labels", spec->classes, spec->class_count, error);
    if (status != CLOSS_OK) return status;
    return check_classes_exist(batch->predicted, "predictions", spec->classes, spec->class_count, error);
}

static closs_status resolve(const closs_surface_spec *spec, surface_plan *plan, closs_error *error) {
    if (!spec) return refuse(error, CLOSS_NULL_POINTER, -1, "spec is NULL");
    const closs_distance_spec distance = {.samples = spec->samples,
                                          .extents = spec->extents,
                                          .spacing = {spec->spacing[0], spec->spacing[1], spec->spacing[2]},
                                          .classes = spec->classes,
                                          .class_count = spec->class_count,
                                          .form = CLOSS_DISTANCE_SQUARED,
                                          .far = CLOSS_FAR_DIAGONAL,
                                          .threads = spec->threads,
                                          .isa = spec->isa};
    closs_status status = distance_resolve(&distance, &plan->distance, error);
    if (status == CLOSS_OK) status = metric_check_machine(spec->threads, spec->isa, &plan->kernels, error);
    if (status != CLOSS_OK) return status;
    if (!(spec->percentile >= 0 && spec->percentile <= 100))
        return refuse(error, CLOSS_BAD_OPTION, -1, "percentile is %g: expected 0 to 100", spec->percentile);
    if (spec->absent < CLOSS_SURFACE_INFINITE || spec->absent > CLOSS_SURFACE_EXCLUDED)
        return refuse(error, CLOSS_BAD_OPTION, -1, "absent is %d: expected a closs_surface_absent", (int)spec->absent);
    const distance_job *job = &plan->distance.job;
    plan->shape = (closs_shape){spec->samples, spec->class_count, job->planes * job->rows * job->columns};
    status = metric_check_shape(&plan->shape, 1, "", error);
    if (status == CLOSS_OK) status = check_ignored(spec, error);
    if (status != CLOSS_OK) return status;
    plan->threads = threads_for(plan->distance.threads, plan->shape.voxels);
    size_memory(plan);
    return CLOSS_OK;
}

NOT_INLINED static size_t surface_scratch_bytes(const closs_surface_spec *spec) {
    surface_plan plan;
    return resolve(spec, &plan, 0) == CLOSS_OK ? bytes_of(&plan, plan.rooms) : 0;
}

size_t closs_surface_scratch_bytes(const closs_surface_spec *spec) {
    float_environment callers = environment_enter();
    size_t bytes = surface_scratch_bytes(spec);
    environment_leave(callers);
    return bytes;
}

static void place_memory(const surface_plan *plan, void *scratch, surface_pass *pass) {
    char *room = first_room(scratch);
    pass->squares = room;
    pass->blocks = room += plan->squares;
    pass->members[PREDICTED] = (uint8_t *)(room += (size_t)pass->rooms * plan->room);
    pass->members[TRUTH] = pass->members[PREDICTED] + plan->shape.voxels;
    pass->surfaces = (uint8_t *)(room += plan->members);
    pass->maps = (float *)(void *)(room += plan->surfaces);
    pass->ends = (int32_t *)(void *)(room += plan->maps);
    pass->nothing = (uint8_t *)memset(room += plan->ends, 0, plan->nothing);
}

// ----------------------------------------------------------------------------------------------------- numbers ----

static double percentile_of(const number_lists *lists, double percentile) {
    const double place = percentile / 100 * (double)(lists_count(lists) - 1);
    const int64_t rank = (int64_t)place;
    const float lower = kth_smallest(lists, rank);
    const double fraction = place - (double)rank, from = sqrt((double)lower);
    if (fraction == 0) return from;
    return from + (sqrt((double)next_smallest(lists, lower, rank)) - from) * fraction;
}

static double larger(double a, double b) { return a > b ? a : b; }

static closs_surface_distances numbers_of(const surface_sums sums[SURFACES], double percentile) {
    const surface_sums *out = &sums[PREDICTED], *back = &sums[TRUTH];
    const number_lists there = {{out->squared, 0}, {out->count, 0}}, here = {{back->squared, 0}, {back->count, 0}};
    const number_lists both = {{out->squared, back->squared}, {out->count, back->count}};
    closs_surface_distances d = {.predicted_voxels = out->count,
                                 .target_voxels = back->count,
                                 .pooled_percentile = percentile_of(&both, percentile),
                                 .average = (out->sum + back->sum) / (double)(out->count + back->count),
                                 .maximum_to_target = sqrt((double)out->largest),
                                 .percentile_to_target = percentile_of(&there, percentile),
                                 .average_to_target = out->sum / (double)out->count,
                                 .maximum_to_predicted = sqrt((double)back->largest),
                                 .percentile_to_predicted = percentile_of(&here, percentile),
                                 .average_to_predicted = back->sum / (double)back->count};
    d.hausdorff = larger(d.maximum_to_target, d.maximum_to_predicted);
    d.hausdorff_percentile = larger(d.percentile_to_target, d.percentile_to_predicted);
    return d;
}

static closs_surface_distances missing(const surface_sums sums[SURFACES], const int found[SURFACES],
                                       closs_surface_absent absent, double diagonal) {
    const int both = !found[PREDICTED] && !found[TRUTH];
    double v = NAN;
    if (absent == CLOSS_SURFACE_INFINITE && !both) v = INFINITY;
    if (absent == CLOSS_SURFACE_DIAGONAL) v = both ? 0 : diagonal;
    return (closs_surface_distances){sums[PREDICTED].count, sums[TRUTH].count, v, v, v, v, v, v, v, v, v, v};
}

// -------------------------------------------------------------------------------------------------------- verb ----

NOT_INLINED static closs_status surface(const closs_surface_spec *spec, const closs_metric_batch *batch,
                                        closs_surface_distances *distances, size_t distances_count, void *scratch,
                                        size_t scratch_bytes, closs_error *error) {
    surface_plan plan;
    closs_status status = resolve(spec, &plan, error);
    if (status != CLOSS_OK) return status;
    const size_t results = (size_t)(spec->samples * spec->class_count);
    const metric_memory memory = {"distances",       distances, distances_count, results,
                                  sizeof *distances, scratch,   scratch_bytes,   bytes_of(&plan, 1)};
    status = metric_check_batch(&plan.shape, 0, 0, batch, &memory, error);
    if (status == CLOSS_OK) status = check_classes(spec, batch, error);
    if (status != CLOSS_OK) return status;
    metric_pass targets = {
        .batch = batch, .shape = plan.shape, .has_ignore = spec->has_ignore_index, .ignore = spec->ignore_index};
    surface_pass pass = {.kernels = plan.kernels,
                         .distance = plan.distance.kernels,
                         .whole = &plan.distance.job,
                         .threads = plan.threads,
                         .rooms = rooms_held(plan.rooms, scratch_bytes, fixed_bytes(&plan), plan.room),
                         .types = {batch->predicted, batch->target}};
    place_memory(&plan, scratch, &pass);
    const double diagonal = sqrt((double)plan.distance.job.metric.far_value);
    for (int64_t n = 0; n < spec->samples; n++) {
        pass.excluded = metric_labels_at(&targets, n, 0, 0, 0);
        pass.labels[TRUTH] = pass.excluded.labels;
        pass.labels[PREDICTED] =
            (const char *)batch->predictions + (size_t)(n * plan.shape.voxels) * target_bytes(batch->predicted);
        for (int c = 0; c < spec->class_count; c++) {
            surface_sums sums[SURFACES];
            int found[SURFACES];
            pass.label = spec->classes ? spec->classes[c] : c;
            distances[n * spec->class_count + c] = run_surface(&pass, sums, found)
                                                       ? numbers_of(sums, spec->percentile)
                                                       : missing(sums, found, spec->absent, diagonal);
        }
    }
    return accepted(error);
}

closs_status closs_surface(const closs_surface_spec *spec, const closs_metric_batch *batch,
                           closs_surface_distances *distances, size_t distances_count, void *scratch,
                           size_t scratch_bytes, closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status = surface(spec, batch, distances, distances_count, scratch, scratch_bytes, error);
    environment_leave(callers);
    return status;
}
