// What a batch, a gradient and the other buffers of a call must hold to.
#ifndef CLOSS_API_CHECK_BATCH_H
#define CLOSS_API_CHECK_BATCH_H

#include "api/refuse.h"
#include "driver/part.h"

// The caller's other memory in a call; unused members are zero.
typedef struct call_memory {
    const closs_gradient_buffer *gradient;
    const int64_t *totals;
    size_t totals_count;
    const int64_t *coefficients;
    size_t coefficients_count;
    const closs_result *result;
    const float *loss_map;
    size_t loss_map_count;
    void *scratch;
    size_t scratch_bytes;
    int writes_totals;
} call_memory;

// A stretch of memory that a call reads or writes.
typedef struct memory_range {
    const char *name;
    const void *start;
    size_t bytes;
    int written;
} memory_range;

enum { CALL_RANGES = 16 }; // at most, of one call

// Lists the memory of a call that was checked; gives back the number of ranges.
int call_ranges(const part *p, const call_memory *memory, memory_range *ranges);

// Refuses a buffer that is NULL or has not the elements expected.
closs_status check_elements(const char *name, const void *buffer, size_t count, size_t expected, closs_error *error);

// Refuses ranges that overlap where one of them is written.
closs_status check_disjoint(const memory_range *ranges, int count, closs_error *error);

// Checks a batch and the memory of its call, and resolves which part it is.
closs_status check_batch(const closs_plan *plan, const closs_batch *batch, int whole, const call_memory *memory,
                         part *resolved, closs_error *error);

closs_status check_totals(const closs_plan *plan, const int64_t *totals, size_t count, const char *name,
                          closs_error *error);

closs_status check_coefficients(const closs_plan *plan, const int64_t *coefficients, size_t count, closs_error *error);

// The memory of closs_finish.
closs_status check_finish_overlap(const int64_t *totals, size_t totals_count, const int64_t *coefficients,
                                  size_t coefficients_count, const closs_result *result, closs_error *error);

closs_status check_result(const closs_plan *plan, const closs_result *result, closs_error *error);

#endif
