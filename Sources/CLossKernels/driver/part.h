// A part of a batch, with its counts and layouts resolved.
#ifndef CLOSS_DRIVER_PART_H
#define CLOSS_DRIVER_PART_H

#include "terms/plan.h"

typedef struct part {
    const closs_plan *plan;
    const closs_batch *batch;
    int64_t first_sample, samples;
    int64_t voxels;               // of each sample, in this part
    run_layout layout;            // of all buffers, those that lie as the kernels read them too
    int staged;                   // some buffer does not
    int together;                 // ... and channels lie side by side, so that a sample's are best staged together
    int rows_in_place;            // ... but what is read of a row is floats one after another, and needs no staging
    const float *distance_maps;   // [terms][samples][classes][voxels], of terms that measure distances, or NULL
    int64_t distance_term_stride; // from one term's to the next one's
    const float *lovasz_slopes;   // for the gradient: as lovasz_layout_of says; or NULL
} part;

// A part's rows are those of its samples; row 0 is its first sample's first. These say what a row is of: from a channel
// on so many classes, all of a softmax's.
static inline int64_t part_rows(const part *p) { return p->samples * plan_rows_per_sample(p->plan); }

static inline int64_t row_sample(const part *p, int64_t row) { return row / plan_rows_per_sample(p->plan); }

static inline int64_t row_channel(const part *p, int64_t row) { return row % plan_rows_per_sample(p->plan); }

static inline int64_t row_classes(const part *p) { return p->plan->shape.classes / plan_rows_per_sample(p->plan); }

// The place of an element in its buffer; samples and voxels are counted from the part's first.
static inline int64_t part_place(const part *p, const buffer_layout *b, int64_t sample, int64_t channel,
                                 int64_t voxel) {
    int64_t in_sample;
    layout_stretch(&p->layout, b, p->batch->first_voxel + voxel, 1, &in_sample);
    return sample * b->sample + channel * b->channel + in_sample;
}

// A sample's tie end, of `tie_ends` for each sample of the part, counted from voxel `first` of a row.
static inline int64_t tie_end_from(const part *p, const int64_t *tie_ends, int64_t row, int64_t first) {
    return tie_ends[row_sample(p, row)] - (row_channel(p, row) * p->voxels + first);
}

// The run of a row's voxels first .. first + voxels - 1. `gradient` NULL: none is written.
run part_run(const part *p, int64_t row, int64_t first, int64_t voxels, void *gradient, gradient_store store);

#endif
