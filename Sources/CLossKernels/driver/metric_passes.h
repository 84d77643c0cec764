// Counts over samples, classes and threads (arithmetic 15). Counts are added in whatever order they come.
#ifndef CLOSS_DRIVER_METRIC_PASSES_H
#define CLOSS_DRIVER_METRIC_PASSES_H

#include "kernels/metric_job.h"

// A batch whose chunks are dealt to threads.
typedef struct metric_pass {
    const closs_metric_batch *batch;
    closs_shape shape;
    const metric_kernels *kernels;
    int threads;
    int has_ignore;
    int64_t ignore;
    int found; // set where a thread met a fault; what was counted is then of no use
} metric_pass;

typedef struct confusion_pass {
    metric_pass pass;
    closs_prediction_kind prediction;
    uint32_t *tables; // [threads][confusion_copies][classes][classes]
    int64_t *totals;  // [samples][classes][classes]
} confusion_pass;

typedef struct threshold_pass {
    metric_pass pass;
    closs_activation activation;
    const float *thresholds; // as values are compared with them
    int count;
    threshold_sums *sums; // [threads]
    closs_counts *totals; // [samples][channels][count]
} threshold_pass;

// Both give back whether there was a fault. Totals are cleared first.
int run_confusion(confusion_pass *pass);
int run_thresholds(threshold_pass *pass);

// Where the targets of a voxel of a row (a sample, or a sample's channel) begin, and which labels they may be.
metric_labels metric_labels_at(const metric_pass *pass, int64_t sample, int64_t channel, int64_t first, int64_t limit);

#endif
