// What metrics count: the kernels' vocabulary for them (arithmetic 15).
#ifndef CLOSS_KERNELS_METRIC_JOB_H
#define CLOSS_KERNELS_METRIC_JOB_H

#include "kernels/formula.h"

enum {
    METRIC_CHUNK = 4096, // voxels that are taken together: their values stay in the first cache
    FEW_CELLS = 16       // of a matrix: counted by comparing, not in memory
};

// Labels of some voxels, and which of the voxels count.
typedef struct metric_labels {
    closs_target type;
    const void *labels;
    const uint8_t *mask; // or NULL
    int64_t limit;       // labels are below it
    int has_ignore;
    int64_t ignore;
} metric_labels;

// A chunk of voxels whose classes are compared.
typedef struct confusion_chunk {
    metric_labels targets;
    closs_prediction_kind prediction;
    closs_target predicted; // of labels
    closs_float type;       // of logits
    const void *predictions;
    int64_t class_stride;
    int classes;
    int64_t voxels;
} confusion_chunk;

// Tables that several cells are counted in side by side, so that one cell's count need not wait for its last.
static inline int confusion_copies(int64_t classes) {
    return classes * classes <= FEW_CELLS ? 1 : classes <= 40 ? 4 : 1;
}

// A chunk of one channel's voxels that are compared with thresholds.
typedef struct threshold_chunk {
    metric_labels targets; // of labels and CLOSS_DENSE_U8
    int64_t positive;      // the label that makes the target 1
    closs_float type;
    const void *values;
    int64_t voxels;
    uint32_t largest; // bits that no value's magnitude may exceed
    int keep_sign;    // and none may be negative
    const float *thresholds;
    int count;
} threshold_chunk;

typedef struct threshold_sums {
    int64_t valid, positives;
    int64_t predicted[CLOSS_MAX_THRESHOLDS], hits[CLOSS_MAX_THRESHOLDS];
} threshold_sums;

// A row of membership and the rows that touch it; those that do not exist are rows of 0, or, along an axis of one
// voxel, the row itself.
typedef struct surface_row {
    const uint8_t *here, *above, *below, *before, *behind;
    int64_t columns;
    int has_sides; // the row has several columns
} surface_row;

typedef struct metric_kernels {
    // Adds to table[classes * classes], `copies` of them.
    fault (*confusion)(const confusion_chunk *, uint32_t *table);
    fault (*thresholds)(const threshold_chunk *, threshold_sums *);
    // members[i] is 1 where a label is the one asked for, else 0; gives back whether any is.
    int (*members)(closs_target, const void *labels, int64_t label, int64_t voxels, uint8_t *members);
    // Sets to 0 those of voxels that do not count.
    void (*exclude)(const metric_labels *, int64_t voxels, uint8_t *members, uint8_t *others);
    void (*surface)(const surface_row *, uint8_t *surface);
} metric_kernels;

extern const metric_kernels metric_kernels_generic;
#if defined(__x86_64__)
extern const metric_kernels metric_kernels_avx2;
extern const metric_kernels metric_kernels_avx512;
#endif

#endif
