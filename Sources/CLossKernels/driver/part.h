// A part of a batch, with its counts resolved.
#ifndef CLOSS_DRIVER_PART_H
#define CLOSS_DRIVER_PART_H

#include "terms/plan.h"

typedef struct part {
    const closs_plan *plan;
    const closs_batch *batch;
    int64_t first_sample, samples;
    int64_t voxels; // of each sample, in this part
} part;

// A part's rows are those of its samples; row 0 is its first sample's first. These say what a row is of.
static inline int64_t part_rows(const part *p) { return p->samples * plan_rows_per_sample(p->plan); }

static inline int64_t row_sample(const part *p, int64_t row) { return row / plan_rows_per_sample(p->plan); }

static inline int64_t row_channel(const part *p, int64_t row) { return row % plan_rows_per_sample(p->plan); }

// The run of a row's voxels first .. first + voxels - 1. `gradient` NULL: none is written.
run part_run(const part *p, int64_t row, int64_t first, int64_t voxels, float *gradient, gradient_store store);

#endif
