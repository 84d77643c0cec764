/* What the library computes for a problem: the value, the gradient and the map of losses. */
#ifndef CORPUS_EVALUATION_H
#define CORPUS_EVALUATION_H

#include "problem.h"

typedef struct outcome {
    uint64_t value_hash, gradient_hash, map_hash;
} outcome;

typedef struct run_memory {
    closs_plan *plan;
    void *scratch;
    size_t scratch_bytes;
    double terms[MOST_TERMS], *per_class, *per_sample;
    closs_result result;
} run_memory;

/* Plans, and allocates all that the calls of a problem need; end_run is owed where it returns not 0. */
int begin_run(const problem *p, run_memory *m);

void end_run(run_memory *m);

/* Of the value and its parts. */
uint64_t hash_result(const run_memory *m);

outcome outcome_of(const problem *p, const run_memory *m, const float *gradient, const float *map);

/* The whole batch in one call. */
int run_whole(const problem *p, outcome *out);

/* The same in parts: parts.c. */
int run_in_parts(const problem *p, outcome *out);

#endif
