#include "api/weight_map.h"

#include "api/check_batch.h"
#include "driver/parallel.h"
#include "driver/sweep.h"
#include "kernels/formula.h"

int weight_map_threads(int requested, int64_t values) {
    const int threads = threads_for(parallel_threads(requested), values);
    return threads < MOST_THREADS ? threads : MOST_THREADS;
}

closs_status check_weight_map(const weight_map_buffers *b, size_t values, size_t least_scratch, closs_error *error) {
    if (!b->labels) return refuse(error, CLOSS_NULL_POINTER, -1, "labels is NULL");
    if (!b->map) return refuse(error, CLOSS_NULL_POINTER, -1, "map is NULL");
    if (!b->scratch)
        return refuse(error, CLOSS_NULL_POINTER, -1, "scratch is NULL: expected at least %zu bytes", least_scratch);
    if (b->labels_count != values)
        return refuse(error, CLOSS_WRONG_SIZE, -1,
                      "labels_count is %zu: expected %zu, samples * planes * rows * columns", b->labels_count, values);
    if (b->map_count != values)
        return refuse(error, CLOSS_WRONG_SIZE, -1, "map_count is %zu: expected %zu, that of the labels", b->map_count,
                      values);
    if (b->scratch_bytes < least_scratch)
        return refuse(error, CLOSS_TOO_SMALL, -1, "scratch_bytes is %zu: expected at least %zu", b->scratch_bytes,
                      least_scratch);
    const memory_range ranges[] = {{"labels", b->labels, values * target_bytes(b->target), 0},
                                   {"map", b->map, values * sizeof *b->map, 1},
                                   {"scratch", b->scratch, b->scratch_bytes, 1}};
    return check_disjoint(ranges, 3, error);
}
