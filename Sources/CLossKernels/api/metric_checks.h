// Checks that metrics share.
#ifndef CLOSS_API_METRIC_CHECKS_H
#define CLOSS_API_METRIC_CHECKS_H

#include "api/refuse.h"
#include "driver/metric_passes.h"
#include "kernels/rooms.h"

// Where a call writes, and what it works in.
typedef struct metric_memory {
    const char *name; // of the results
    const void *results;
    size_t count, expected, element; // of the results
    void *scratch;
    size_t scratch_bytes, needed; // for one thread
} metric_memory;

// samples, classes and voxels, and that `factor` results of each class (of the last, 1 or more) can be counted. `of` is
// what messages have before these names, such as "shape.".
closs_status metric_check_shape(const closs_shape *shape, int64_t factor, const char *of, closs_error *error);
closs_status metric_check_machine(int threads, closs_isa isa, const metric_kernels **kernels, closs_error *error);
// `values`: predictions are logits or probabilities of each class, `dense`: targets of each class are taken too.
closs_status metric_check_batch(const closs_shape *shape, int values, int dense, const closs_metric_batch *batch,
                                const metric_memory *memory, closs_error *error);

// What a pass has met: the targets in order, then the predictions.
closs_status metric_diagnose_target(const metric_pass *pass, int64_t limit, closs_error *error);
closs_status metric_diagnose_predicted(const metric_pass *pass, closs_error *error);
closs_status metric_diagnose_values(const metric_pass *pass, int are_probabilities, closs_error *error);

#endif
