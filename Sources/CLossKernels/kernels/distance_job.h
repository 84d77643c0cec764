// What a distance transform works on: the kernels' vocabulary for it (arithmetic 12).
#ifndef CLOSS_KERNELS_DISTANCE_JOB_H
#define CLOSS_KERNELS_DISTANCE_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "include/closs.h"
#include "kernels/rooms.h"
#include "names.h"

// Squared distances are whole multiples of `unit`, and so is each axis's share of them: sums are exact, and the
// smallest of them is the same in whatever order it is looked for. They are 32-bit integers where those hold them all,
// and whole numbers in doubles otherwise.
typedef struct distance_metric {
    int wide;       // in doubles
    double step[3]; // of planes, rows, columns: what one voxel's step adds to a squared distance, in units
    double unit;
    float outer_shift; // taken from distances outside
    float inner_shift; // what distances inside are taken from
    float far_value;   // where there is nothing to be far from; its negative inside
    double diagonal;   // squared
    double least;      // squared, of the spacings of axes with several voxels
} distance_metric;

typedef struct distance_job {
    distance_metric metric;
    int64_t planes, rows, columns;
    closs_distance_form form;
    int keeps_squares; // of a signed form: squares with signs
    closs_distance_type type;
    float scale; // of 16-bit integers: what one of their steps is worth, inverted
    // [2 * longest - 1] each, of planes and of rows: the squares of steps from -(longest - 1) on, in units; int32_t or
    // double. `squares` point at the middle.
    const void *squares[2];
} distance_job;

// The kernels of one instruction set. Signed numbers are those of voxels outside the class; inside they are the bits'
// complement (of integers) or the negative (of doubles), which never is 0.
typedef struct distance_kernels {
    // Along one row: how far it is to the nearest voxel of the class, and from inside it to the nearest outside.
    void (*row)(const distance_job *, closs_target, const void *labels, int64_t label, int32_t *steps);
    // Of `lanes` columns from `column` on, in all planes: from steps to the map's values.
    void (*block)(const distance_job *, const int32_t *steps, int64_t column, void *map, void *scratch);
} distance_kernels;

extern const distance_kernels distance_kernels_generic;
#if defined(__x86_64__)
extern const distance_kernels distance_kernels_avx2;
extern const distance_kernels distance_kernels_avx512;
#endif

// Columns that are taken together.
enum { NARROW_LANES = 32, WIDE_LANES = 16 };

static inline int64_t distance_lanes(const distance_job *job) { return job->metric.wide ? WIDE_LANES : NARROW_LANES; }

static inline size_t distance_element(const distance_metric *metric) {
    return metric->wide ? sizeof(double) : sizeof(int32_t);
}

// Steps along a row that has nothing to be far from; their square is more than every distance's.
enum { NARROW_FAR_STEPS = 1 << 15, WIDE_FAR_STEPS = 1 << 30 };

static inline int32_t far_steps(const distance_job *job) {
    return job->metric.wide ? WIDE_FAR_STEPS : NARROW_FAR_STEPS;
}

// Of one thread's block: lines, their results, their bounds, and of several planes the results of all rows.
static inline size_t distance_block_bytes(const distance_job *job) {
    int64_t longest = job->planes > job->rows ? job->planes : job->rows;
    int64_t lines = 2 * longest + (job->planes > 1 ? job->planes * job->rows : 0);
    return room_bytes((size_t)(lines * distance_lanes(job)) * distance_element(&job->metric) +
                      (size_t)longest * 4 * sizeof(int32_t));
}

#endif
