#include "problem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "memory.h"
#include "terms.h"

void add_to_name(problem *p, const char *format, ...) {
    size_t used = strlen(p->name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(p->name + used, sizeof p->name - used, format, arguments);
    va_end(arguments);
}

/* Extents with the product of the voxels, in two or three dimensions. */
static closs_extents draw_extents(random_numbers *r, int64_t voxels) {
    closs_extents e = {1, 1, voxels};
    for (int64_t n = 2; n < 128; n++) {
        if (e.columns % n == 0 && one_in(r, 2)) e.rows *= n, e.columns /= n;
        if (e.rows % n == 0 && one_in(r, 6)) e.planes *= n, e.rows /= n;
    }
    return e;
}

static void draw_write(problem *p, random_numbers *r) {
    p->in_place = one_in(r, 4);
    p->write = !p->in_place && one_in(r, 3) ? CLOSS_ADD : CLOSS_OVERWRITE;
    p->scale = one_in(r, 3) ? (float)(1 + below(r, 1000)) * 0x1p-6f : 1;
    p->spec.checks = one_in(r, 3) ? CLOSS_CHECK_WHILE_WRITING : CLOSS_CHECK_BEFORE_WRITING;
    p->start = allocate(p->values, sizeof *p->start);
    for (size_t i = 0; i < p->values; i++) p->start[i] = (float)(below(r, 1 << 16) - (1 << 15)) * 0x1p-24f;
    add_to_name(p, "%s%s",
                p->in_place             ? " in-place"
                : p->write == CLOSS_ADD ? " add"
                                        : "",
                p->scale == 1 ? "" : " scaled");
}

problem *make_problem(uint64_t seed, closs_activation activation, const closs_term_kind *kinds, int64_t samples,
                      int64_t classes, int64_t voxels) {
    static const char *ACTIVATIONS[] = {"softmax", "sigmoid", "probabilities"};
    random_numbers r = {seed * UINT64_C(0x2545f4914f6cdd1d)};
    problem *p = allocate(1, sizeof *p);
    p->spec.shape = (closs_shape){samples, classes, voxels};
    p->spec.activation = activation;
    p->spec.threads = threads;
    p->spec.isa = isa;
    p->spec.terms = p->terms;
    random_numbers of_extents = {seed};
    p->spec.extents = draw_extents(&of_extents, voxels);
    p->spec.per_sample = seed % 3 == 1;
    p->spec.per_class = seed % 4 == 2;
    p->voxels = (size_t)(samples * voxels);
    p->values = p->voxels * (size_t)classes;
    add_to_name(p, "%03" PRIu64 " %s %" PRId64 "x%" PRId64 "x%" PRId64, seed, ACTIVATIONS[activation], samples, classes,
                voxels);
    for (int64_t c = 0; c < classes; c++) p->class_weights[c] = (float)(1 + below(&r, 31)) * 0.125f;
    for (int64_t c = 0; c < classes; c++) p->class_alphas[c] = (float)below(&r, 9) * 0.125f;
    for (; p->spec.term_count < MOST_TERMS && kinds[p->spec.term_count]; p->spec.term_count++)
        draw_term(p, &r, &p->terms[p->spec.term_count], kinds[p->spec.term_count]);
    draw_batch(p, &r);
    draw_write(p, &r);
    return p;
}

void free_problem(problem *p) {
    free(p->logits);
    free(p->weights);
    free(p->maps);
    free(p->start);
    free(p->targets);
    free(p->mask);
    free(p);
}

int is_lovasz(closs_term_kind kind) { return kind == CLOSS_LOVASZ_SOFTMAX || kind == CLOSS_LOVASZ_HINGE; }

size_t loss_map_count(const problem *p) {
    for (size_t i = 0; i < p->spec.term_count; i++) {
        closs_term_kind kind = p->terms[i].kind;
        int pointwise = kind == CLOSS_CROSS_ENTROPY || kind == CLOSS_BINARY_CROSS_ENTROPY || kind == CLOSS_FOCAL ||
                        (kind >= CLOSS_ABSOLUTE_ERROR && kind <= CLOSS_HAUSDORFF);
        if (pointwise) return p->spec.activation == CLOSS_SOFTMAX ? p->voxels : p->values;
    }
    return 0;
}
