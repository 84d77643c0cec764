// U-Net's weights of the distances to the two nearest cells.
#include <math.h>

#include "api/distance_plan.h"
#include "api/label_range.h"
#include "api/weight_map.h"
#include "driver/environment.h"
#include "driver/weights_passes.h"
#include "kernels/formula.h"

static const double MOST_CELL_WEIGHT = 0x1p16;

// Where -(d1 + d2)^2 / (2 sigma^2) is below -87.25: in sigmas, and a little more.
static const double REACH_SIGMAS = 13.21;

typedef struct cells_plan {
    cells_job job;
    const weight_kernels *kernels;
    int threads, rooms;      // threads that work on blocks have a room each
    int64_t samples, voxels; // of a sample
} cells_plan;

static closs_status check_cell_weight(double value, const char *name, closs_error *error) {
    if (value >= 0 && value <= MOST_CELL_WEIGHT) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_OPTION, -1, "%s is %g: expected 0 .. %g", name, value, MOST_CELL_WEIGHT);
}

static closs_status check_cell_options(const closs_cell_weights_spec *spec, closs_error *error) {
    closs_status status = check_cell_weight(spec->amplitude, "amplitude", error);
    if (status == CLOSS_OK) status = check_cell_weight(spec->background_weight, "background_weight", error);
    if (status == CLOSS_OK) status = check_cell_weight(spec->cell_weight, "cell_weight", error);
    if (status != CLOSS_OK) return status;
    if (!(spec->sigma >= 0x1p-40 && spec->sigma <= 0x1p40))
        return refuse(error, CLOSS_BAD_OPTION, -1, "sigma is %g: expected a positive length, 2^-40 .. 2^40",
                      spec->sigma);
    if (spec->has_ignore_index && spec->ignore_index == spec->background)
        return refuse(error, CLOSS_BAD_OPTION, -1, "ignore_index is %lld, as is background: expected another",
                      (long long)spec->ignore_index);
    return CLOSS_OK;
}

static int64_t reach_along(const closs_cell_weights_spec *spec, int axis, int64_t extent) {
    double spacing = spec->spacing[axis] == 0 ? 1 : spec->spacing[axis];
    double steps = ceil(spec->sigma * REACH_SIGMAS / spacing);
    return steps < (double)extent ? (int64_t)steps : extent;
}

static closs_status resolve_cells(const closs_cell_weights_spec *spec, cells_plan *plan, closs_error *error) {
    if (!spec) return refuse(error, CLOSS_NULL_POINTER, -1, "spec is NULL");
    *plan = (cells_plan){.samples = spec->samples};
    closs_distance_spec distances = {.samples = spec->samples,
                                     .extents = spec->extents,
                                     .spacing = {spec->spacing[0], spec->spacing[1], spec->spacing[2]},
                                     .class_count = 1,
                                     .threads = spec->threads,
                                     .isa = spec->isa};
    cells_job *job = &plan->job;
    distance_plan resolved;
    closs_status status = distance_resolve(&distances, &resolved, error);
    if (status == CLOSS_OK) status = check_cell_options(spec, error);
    if (status != CLOSS_OK) return status;
    job->distance = resolved.job;
    plan->voxels = job->distance.planes * job->distance.rows * job->distance.columns;
    plan->kernels = kernels_for(spec->isa)->weights;
    plan->threads = weight_map_threads(spec->threads, plan->voxels);
    plan->rooms = plan->threads;
    if (cells_blocks(job) < plan->rooms) plan->rooms = (int)cells_blocks(job);
    job->reach[WEIGHTS_PLANES] = reach_along(spec, WEIGHTS_PLANES, job->distance.planes);
    job->reach[WEIGHTS_ROWS] = reach_along(spec, WEIGHTS_ROWS, job->distance.rows);
    job->background = spec->background;
    job->has_ignore_index = spec->has_ignore_index;
    job->ignore_index = spec->ignore_index;
    job->exponent = (float)(-1 / (2 * (spec->sigma * spec->sigma)));
    job->amplitude = (float)spec->amplitude;
    return CLOSS_OK;
}

// The steps or the cells of all voxels of a sample.
static size_t near_bytes(const cells_plan *plan) { return room_bytes((size_t)plan->voxels * sizeof(int32_t)); }

static size_t cells_scratch_bytes(const cells_plan *plan) {
    return ROOM_ALIGNMENT + 4 * near_bytes(plan) + (size_t)plan->rooms * cells_block_bytes(&plan->job);
}

NOT_INLINED static size_t cell_weights_scratch_bytes(const closs_cell_weights_spec *spec) {
    cells_plan plan;
    return resolve_cells(spec, &plan, 0) == CLOSS_OK ? cells_scratch_bytes(&plan) : 0;
}

size_t closs_cell_weights_scratch_bytes(const closs_cell_weights_spec *spec) {
    float_environment callers = environment_enter();
    size_t bytes = cell_weights_scratch_bytes(spec);
    environment_leave(callers);
    return bytes;
}

static closs_status check_cells_target(const closs_cell_weights_spec *spec, closs_target target, closs_error *error) {
    if (target < CLOSS_LABELS_U8 || target > CLOSS_LABELS_I64)
        return refuse(error, CLOSS_BAD_OPTION, -1, "target is %d: expected labels, CLOSS_LABELS_U8 to CLOSS_LABELS_I64",
                      (int)target);
    // A background that no voxel can have would make all of them cells.
    const closs_target type = target == CLOSS_LABELS_I64 ? CLOSS_LABELS_I32 : target; // of 32 bits, as all its labels
    return check_label_exists(type, "labels", "background", spec->background, error);
}

// Cells are told apart by 32 bits.
static closs_status check_cell_labels(closs_target target, const int64_t *labels, size_t count, closs_error *error) {
    if (target != CLOSS_LABELS_I64) return CLOSS_OK;
    for (size_t i = 0; i < count; i++)
        if (labels[i] < INT32_MIN || labels[i] > INT32_MAX)
            return refuse(error, CLOSS_BAD_LABEL, (int64_t)i, "labels[%zu] is %lld: expected a label of 32 bits", i,
                          (long long)labels[i]);
    return CLOSS_OK;
}

NOT_INLINED static closs_status cell_weights(const closs_cell_weights_spec *spec, closs_target target,
                                             const void *labels, size_t labels_count, float *map, size_t map_count,
                                             void *scratch, size_t scratch_bytes, closs_error *error) {
    cells_plan plan;
    closs_status status = resolve_cells(spec, &plan, error);
    const weight_map_buffers buffers = {target, labels, labels_count, map, map_count, scratch, scratch_bytes};
    if (status == CLOSS_OK) status = check_cells_target(spec, target, error);
    // Scratch that was sized for fewer threads is used by so many.
    while (status == CLOSS_OK && plan.rooms > 1 && cells_scratch_bytes(&plan) > scratch_bytes) plan.rooms--;
    if (status == CLOSS_OK)
        status = check_weight_map(&buffers, (size_t)(plan.samples * plan.voxels), cells_scratch_bytes(&plan), error);
    if (status == CLOSS_OK) status = check_cell_labels(target, labels, labels_count, error);
    if (status != CLOSS_OK) return status;
    plan.job.target = target;
    char *room = first_room(scratch);
    cells_map of_sample = {.job = &plan.job,
                           .kernels = plan.kernels,
                           .threads = plan.threads,
                           .rooms = plan.rooms,
                           .background_weight = spec->background_weight,
                           .cell_weight = spec->cell_weight,
                           .balanced = spec->balanced};
    for (int k = 0; k < 2; k++) {
        of_sample.near.steps[k] = (int32_t *)(room + (size_t)(2 * k) * near_bytes(&plan));
        of_sample.near.cells[k] = (int32_t *)(room + (size_t)(2 * k + 1) * near_bytes(&plan));
    }
    of_sample.blocks = room + 4 * near_bytes(&plan);
    for (int64_t s = 0; s < plan.samples; s++) {
        of_sample.labels = (const char *)labels + (size_t)(s * plan.voxels) * target_bytes(target);
        of_sample.map = map + s * plan.voxels;
        cells_weights_pass(&of_sample);
    }
    return accepted(error);
}

closs_status closs_cell_weights(const closs_cell_weights_spec *spec, closs_target target, const void *labels,
                                size_t labels_count, float *map, size_t map_count, void *scratch, size_t scratch_bytes,
                                closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status =
        cell_weights(spec, target, labels, labels_count, map, map_count, scratch, scratch_bytes, error);
    environment_leave(callers);
    return status;
}
