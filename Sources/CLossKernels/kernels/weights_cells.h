// The two nearest cells of every voxel, and U-Net's weights of the distances to them (arithmetic 14.5).
//
// Along a row each voxel keeps its two nearest cells. Of a cell that is not among a place's two, two others are no
// farther there, and so are they from every voxel that looks across it: keeping two is enough on every axis, however
// many cells there are.

// -------------------------------------------------------------------------------------------------------- rows ----

typedef enum voxel_kind { OF_BACKGROUND, OF_CELL, OF_NOTHING } voxel_kind;

LANES_INLINE voxel_kind kind_of(const cells_job *job, int64_t label) {
    if (job->has_ignore_index && label == job->ignore_index) return OF_NOTHING;
    return label == job->background ? OF_BACKGROUND : OF_CELL;
}

// The cell met last and the one met last of the others.
typedef struct cells_met {
    int32_t cell[2];
    int64_t at[2];
} cells_met;

LANES_INLINE void meet(cells_met *met, int32_t cell, int64_t at) {
    if (cell != met->cell[0]) {
        met->cell[1] = met->cell[0];
        met->at[1] = met->at[0];
        met->cell[0] = cell;
    }
    met->at[0] = at;
}

// One more cell beside a voxel's two.
LANES_INLINE void offer(const cells_near *near, int64_t i, int32_t steps, int32_t cell) {
    if (cell == near->cells[0][i]) {
        if (steps < near->steps[0][i]) near->steps[0][i] = steps;
    } else if (steps < near->steps[0][i]) {
        near->steps[1][i] = near->steps[0][i];
        near->cells[1][i] = near->cells[0][i];
        near->steps[0][i] = steps;
        near->cells[0][i] = cell;
    } else if (steps < near->steps[1][i]) {
        near->steps[1][i] = steps;
        near->cells[1][i] = cell;
    }
}

LANES_INLINE int32_t steps_between(int64_t from, int64_t to, int32_t far) {
    int64_t steps = from < to ? to - from : from - to;
    return steps < far ? (int32_t)steps : far;
}

LANES_INLINE void near_of_row(const cells_job *job, closs_target target, const void *labels, const cells_near *near,
                              cells_counts *counts) {
    const int64_t n = job->distance.columns, nowhere = (int64_t)1 << 40;
    const int32_t far = far_steps(&job->distance);
    cells_met met = {{0, 0}, {-nowhere, -nowhere}};
    int64_t background = 0, cells = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t label = label_at(target, labels, i);
        voxel_kind kind = kind_of(job, label);
        background += kind == OF_BACKGROUND;
        cells += kind == OF_CELL;
        if (kind == OF_CELL) meet(&met, (int32_t)label, i);
        for (int k = 0; k < 2; k++) {
            near->steps[k][i] = steps_between(met.at[k], i, far);
            near->cells[k][i] = met.cell[k];
        }
    }
    counts->background += background;
    counts->cells += cells;
    // Where a row has two cells, these are two.
    for (int k = 0; k < 2 && met.at[k] >= 0; k++) {
        if (met.cell[k] < counts->least) counts->least = met.cell[k];
        if (met.cell[k] > counts->most) counts->most = met.cell[k];
    }
    met = (cells_met){{0, 0}, {nowhere, nowhere}};
    for (int64_t i = n - 1; i >= 0; i--) {
        int64_t label = label_at(target, labels, i);
        if (kind_of(job, label) == OF_CELL) meet(&met, (int32_t)label, i);
        for (int k = 0; k < 2; k++) {
            int32_t steps = steps_between(met.at[k], i, far);
            if (steps < near->steps[1][i]) offer(near, i, steps, met.cell[k]);
        }
    }
}

static void cells_row(const cells_job *job, const void *labels, const cells_near *near, cells_counts *counts) {
    switch (job->target) {
    case CLOSS_LABELS_U8: near_of_row(job, CLOSS_LABELS_U8, labels, near, counts); break;
    case CLOSS_LABELS_U16: near_of_row(job, CLOSS_LABELS_U16, labels, near, counts); break;
    case CLOSS_LABELS_I32: near_of_row(job, CLOSS_LABELS_I32, labels, near, counts); break;
    default: near_of_row(job, CLOSS_LABELS_I64, labels, near, counts);
    }
}

// ------------------------------------------------------------------------------------------------------- lines ----

#define LINES(name) narrow_cells_##name
#define ELEMENT int32_t
#define INDEX int32_t
#define LINE_LANES NARROW_LANES
// Integers up to 2^30 are rounded once either way.
#define IN_UNITS(squared, unit)                                                                                        \
    ((unit) == 1 ? __builtin_convertvector(squared, VECTOR(float, LINE_LANES))                                         \
                 : __builtin_convertvector(__builtin_convertvector(squared, VECTOR(double, LINE_LANES)) * (unit),      \
                                           VECTOR(float, LINE_LANES)))
#include "kernels/weights_lines.h"
#undef LINES
#undef ELEMENT
#undef INDEX
#undef LINE_LANES
#undef IN_UNITS

#define LINES(name) wide_cells_##name
#define ELEMENT double
#define INDEX int64_t
#define LINE_LANES WIDE_LANES
#define IN_UNITS(squared, unit) __builtin_convertvector((squared) * (unit), VECTOR(float, LINE_LANES))
#include "kernels/weights_lines.h"
#undef LINES
#undef ELEMENT
#undef INDEX
#undef LINE_LANES
#undef IN_UNITS

static void cells_block(const cells_job *job, const cells_near *near, int64_t column, float *map, void *scratch) {
    if (job->distance.metric.wide)
        wide_cells_block(job, near, column, map, scratch);
    else
        narrow_cells_block(job, near, column, map, scratch);
}

// ------------------------------------------------------------------------------------------------------ weights ----

LANES_INLINE vf32 cell_weights(const cells_job *job, vf32 together, vi32 is_background, vi32 is_cell, float background,
                               float cell) {
    vf32 x = (together * together) * job->exponent;
    // Where cells are far, and where there are not two, the sum is large or infinite.
    vf32 near = f32_keep(x >= f32_splat(EXP_LOWEST), exp_nonpositive(x));
    vf32 between = f32_fma(f32_splat(job->amplitude), near, f32_splat(background));
    return f32_select(is_background, between, f32_keep(is_cell, f32_splat(cell)));
}

static void cells_weights(const cells_job *job, const void *labels, int64_t voxels, float background, float cell,
                          int are_two, float *map) {
    for (int64_t i = 0; i < voxels; i += LANES) {
        const int64_t count = voxels - i < LANES ? voxels - i : LANES;
        int32_t of_background[LANES] = {0}, of_cell[LANES] = {0};
        for (int64_t j = 0; j < count; j++) {
            voxel_kind kind = kind_of(job, label_at(job->target, labels, i + j));
            of_background[j] = -(kind == OF_BACKGROUND);
            of_cell[j] = -(kind == OF_CELL);
        }
        vf32 together = f32_splat(INFINITY);
        if (are_two) memcpy(&together, map + i, (size_t)count * sizeof *map);
        vf32 weights = cell_weights(job, together, i32_load(of_background), i32_load(of_cell), background, cell);
        memcpy(map + i, &weights, (size_t)count * sizeof *map);
    }
}
