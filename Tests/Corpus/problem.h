/* A loss of a few terms and a batch for it, drawn from a seed. */
#ifndef CORPUS_PROBLEM_H
#define CORPUS_PROBLEM_H

#include <closs.h>

#include <stddef.h>
#include <stdint.h>

#include "random.h"

enum { MOST_TERMS = 4 };

typedef struct problem {
    char name[160];
    closs_spec spec;
    closs_term terms[MOST_TERMS];
    float class_weights[CLOSS_MAX_CLASSES], class_alphas[CLOSS_MAX_CLASSES];
    closs_batch batch;
    closs_write write;
    float scale;
    int in_place;
    size_t values, voxels;                  /* of the batch */
    float *logits, *weights, *maps, *start; /* start: what the gradient's memory holds before */
    void *targets;
    uint8_t *mask;
} problem;

/* `kinds` ends with 0 where they are fewer than MOST_TERMS. */
problem *make_problem(uint64_t seed, closs_activation activation, const closs_term_kind *kinds, int64_t samples,
                      int64_t classes, int64_t voxels);

void free_problem(problem *p);

void add_to_name(problem *p, const char *format, ...);

/* Draws the batch of a problem whose shape and terms are there: batch.c. */
void draw_batch(problem *p, random_numbers *r);

int is_lovasz(closs_term_kind kind);

/* How many losses a map of all the problem's voxels holds; 0: no term has one. */
size_t loss_map_count(const problem *p);

#endif
