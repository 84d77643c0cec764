// One whole batch in steps, so that several can all be looked at before any of them is written.
#ifndef CLOSS_API_EVALUATION_H
#define CLOSS_API_EVALUATION_H

#include "api/check_batch.h"
#include "api/scratch.h"

typedef struct evaluation {
    part part;
    call_memory memory; // with the gradient (or NULL) and the result
    closs_result *result;
    scratch scratch;
    int losses_wait; // for the gradient, with which they are added up
} evaluation;

// Checks the arguments.
closs_status evaluation_check(evaluation *e, const closs_plan *plan, const closs_batch *batch,
                              const closs_gradient_buffer *gradient, closs_result *result, void *memory,
                              size_t memory_bytes, closs_error *error);

// All that comes before the first write: totals or divisors, and coefficients.
closs_status evaluation_prepare(evaluation *e, closs_error *error);

// What comes last of that: the coefficients of the totals in the scratch, if there is a gradient.
closs_status evaluation_coefficients(evaluation *e, closs_error *error);

// Writes the gradient, if there is one.
closs_status evaluation_write(evaluation *e, closs_error *error);

// Fills in the result.
void evaluation_finish(evaluation *e);

#endif
