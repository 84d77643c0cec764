// What makers of weight maps work on: the kernels' vocabulary for them (arithmetic 14).
#ifndef CLOSS_KERNELS_WEIGHTS_JOB_H
#define CLOSS_KERNELS_WEIGHTS_JOB_H

#include "kernels/distance_job.h"

enum { WEIGHTS_PLANES, WEIGHTS_ROWS, WEIGHTS_COLUMNS, WEIGHTS_AXES };

// ------------------------------------------------------------------------------------------------ box averages ----

// A voxel's window reaches `before` voxels back and `after` on along each axis, as far as there may be any.
typedef struct box_job {
    int64_t extents[WEIGHTS_AXES], before[WEIGHTS_AXES], after[WEIGHTS_AXES];
    int64_t window; // voxels of a whole window
    int excludes_padding;
    closs_target target;
    const int64_t *classes;
    int class_count;
    closs_box_form form;
    float steepness;
    double lower, upper;
} box_job;

// What weights are: of boundaries exponentials times `high`; of borders `high` there and `low` elsewhere.
typedef struct box_values {
    float low, high;
    int streaming; // the map's rows are whole cache lines, and there are many
} box_values;

typedef struct box_sums {
    __int128 exponentials; // in quanta of 2^-48
    int64_t border;        // voxels
} box_sums;

// Windows slide across the rows of a plane or, where there are several, across planes: the lines that threads share.
static inline int64_t box_lines(const box_job *job) {
    return job->extents[WEIGHTS_PLANES] > 1 ? job->extents[WEIGHTS_PLANES] : job->extents[WEIGHTS_ROWS];
}

enum { BOX_LANES = 64 };

static inline int64_t box_padded(const box_job *job) {
    return (job->extents[WEIGHTS_COLUMNS] + BOX_LANES - 1) / BOX_LANES * BOX_LANES;
}

// Rows of weights. Where these wait for their scale: of each block of a row the value that all of it have, or 0 where
// they are in `weights`.
typedef struct box_map {
    float *weights, *alike;
} box_map;

static inline box_map box_map_from(const box_job *job, box_map map, int64_t row) {
    map.weights += row * job->extents[WEIGHTS_COLUMNS];
    if (map.alike) map.alike += row * (box_padded(job) / BOX_LANES);
    return map;
}

static inline int64_t box_all_rows(const box_job *job) {
    return job->extents[WEIGHTS_PLANES] * job->extents[WEIGHTS_ROWS];
}

// Of one thread: a row's counts, their running sums, reciprocals, two thresholds, two rows of members, and a plane's
// counts where there are several; and what blocks have in common.
static inline size_t box_room_bytes(const box_job *job) {
    const int64_t padded = box_padded(job);
    int64_t words = 4 * padded + padded + job->before[WEIGHTS_COLUMNS] + job->after[WEIGHTS_COLUMNS] + 2 * BOX_LANES;
    words += 3 * (padded / BOX_LANES);
    if (job->extents[WEIGHTS_PLANES] > 1) words += job->extents[WEIGHTS_ROWS] * padded;
    return room_bytes((size_t)words * sizeof(int32_t) + 2 * (size_t)padded);
}

// ------------------------------------------------------------------------------------------------------- cells ----

typedef struct cells_job {
    distance_job distance;       // extents and metric
    int64_t reach[WEIGHTS_AXES]; // steps beyond which a cell adds nothing
    closs_target target;
    int64_t background, ignore_index;
    int has_ignore_index;
    float exponent;  // -1 / (2 sigma^2)
    float amplitude; // w0
} cells_job;

// The two cells that are nearest to each voxel, and how many steps (later: their squared distances).
typedef struct cells_near {
    int32_t *steps[2], *cells[2];
} cells_near;

// Voxels, and the least and the greatest label of a cell; where there is none, the least is the greater.
typedef struct cells_counts {
    int64_t background, cells;
    int32_t least, most;
} cells_counts;

static inline int64_t cells_blocks(const cells_job *job) {
    return (job->distance.columns + distance_lanes(&job->distance) - 1) / distance_lanes(&job->distance);
}

// Of one thread's block: a line, each place with two distances and two cells, and of several planes the results of all
// rows.
static inline size_t cells_block_bytes(const cells_job *job) {
    const distance_job *d = &job->distance;
    int64_t longest = d->planes > d->rows ? d->planes : d->rows;
    int64_t places = longest + (d->planes > 1 ? d->planes * d->rows : 0);
    return (size_t)(places * distance_lanes(d)) * 4 * distance_element(&d->metric);
}

// ----------------------------------------------------------------------------------------------------- classes ----

typedef struct class_labels {
    closs_target target;
    int class_count, has_ignore_index;
    int64_t ignore_index;
} class_labels;

// ----------------------------------------------------------------------------------------------------- kernels ----

typedef struct weight_kernels {
    // Lines [first, end) of a sample, whose map is `map`: of these values; or `sums` are added to, and the map's lines
    // wait for values, which then are NULL.
    void (*box)(const box_job *, const void *labels, int64_t first, int64_t end, void *room, const box_values *,
                box_map map, box_sums *sums);
    // Rows of a map that waited.
    void (*box_scale)(const box_job *, int64_t rows, const box_values *, box_map map);
    // A row's two nearest cells along it.
    void (*cells_row)(const cells_job *, const void *labels, const cells_near *, cells_counts *);
    // Of lanes of columns from `column` on: the sum of the distances to the two nearest cells of each voxel.
    void (*cells_block)(const cells_job *, const cells_near *, int64_t column, float *map, void *scratch);
    // From those sums to weights, in place; where there are not two cells, there are no sums.
    void (*cells_weights)(const cells_job *, const void *labels, int64_t voxels, float background, float cell,
                          int are_two, float *map);
    // Adds the voxels of each class; gives back the first label that is none, or -1.
    int64_t (*class_counts)(const class_labels *, const void *labels, int64_t voxels, int64_t *counts);
    void (*class_map)(const class_labels *, const void *labels, int64_t voxels, const float *weights, float *map);
} weight_kernels;

extern const weight_kernels weight_kernels_generic;
#if defined(__x86_64__)
extern const weight_kernels weight_kernels_avx2;
extern const weight_kernels weight_kernels_avx512;
#endif

#endif
