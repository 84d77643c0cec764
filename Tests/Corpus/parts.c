/* A problem as micro-batches or ranks compute it: cut up, accumulated out of order, merged, and put together again. */
#include "evaluation.h"

#include <stdlib.h>
#include <string.h>

#include "inputs.h"
#include "memory.h"
#include "report.h"

/* A part's own copy of the batch's memory; rows are [samples][classes or 1]. */
typedef struct cut {
    closs_batch batch;
    void *memory[5];
} cut;

static void copy_rows(char *part, const char *whole, int64_t rows_per_sample, size_t size, const problem *p,
                      const closs_batch *b, int back) {
    size_t row = (size_t)b->voxel_count * size;
    for (int64_t i = 0; i < b->sample_count * rows_per_sample; i++) {
        int64_t at = (b->first_sample * rows_per_sample + i) * p->spec.shape.voxels + b->first_voxel;
        if (back)
            memcpy((char *)whole + (size_t)at * size, part + (size_t)i * row, row);
        else
            memcpy(part + (size_t)i * row, whole + (size_t)at * size, row);
    }
}

static void *cut_rows(const void *whole, int64_t rows_per_sample, size_t size, const problem *p, const closs_batch *b,
                      size_t *count) {
    if (!whole) return NULL;
    *count = (size_t)(b->sample_count * rows_per_sample * b->voxel_count);
    void *part = allocate(*count, size);
    copy_rows(part, whole, rows_per_sample, size, p, b, 0);
    return part;
}

static cut make_cut(const problem *p, int64_t first_sample, int64_t sample_count, int64_t first_voxel,
                    int64_t voxel_count) {
    cut c = {.batch = {.target = p->batch.target,
                       .first_sample = first_sample,
                       .sample_count = sample_count,
                       .first_voxel = first_voxel,
                       .voxel_count = voxel_count}};
    closs_batch *b = &c.batch;
    int64_t classes = p->spec.shape.classes;
    b->logits = c.memory[0] = cut_rows(p->logits, classes, sizeof(float), p, b, &b->logits_count);
    b->targets = c.memory[1] =
        cut_rows(p->targets, is_dense(b->target) ? classes : 1, target_bytes(b->target), p, b, &b->targets_count);
    b->mask = c.memory[2] = cut_rows(p->mask, 1, 1, p, b, &b->mask_count);
    b->weights = c.memory[3] = cut_rows(p->weights, 1, sizeof(float), p, b, &b->weights_count);
    b->maps = c.memory[4] = cut_rows(p->maps, classes, sizeof(float), p, b, &b->maps_count);
    return c;
}

static void free_cut(cut *c) {
    for (int i = 0; i < 5; i++) free(c->memory[i]);
}

enum { MOST_CUTS = 64 };

static int ranks_whole_batch(const problem *p) {
    for (size_t i = 0; i < p->spec.term_count; i++)
        if (is_lovasz(p->terms[i].kind) && p->terms[i].of.lovasz.scope % 2 == CLOSS_PER_BATCH) return 1;
    return 0;
}

/* Terms that select, measure or sort. */
static int needs_whole_samples(const problem *p) {
    for (size_t i = 0; i < p->spec.term_count; i++) {
        closs_term_kind kind = p->terms[i].kind;
        if (kind == CLOSS_BALANCED_BINARY_CROSS_ENTROPY || kind == CLOSS_TOP_K || kind == CLOSS_OHEM ||
            kind == CLOSS_BALANCED_L1 || kind == CLOSS_BOUNDARY || kind == CLOSS_HAUSDORFF || is_lovasz(kind))
            return 1;
    }
    return 0;
}

/* Last part first, so that the order is not that of the whole. */
static int make_cuts(const problem *p, cut *cuts) {
    int count = 0;
    if (ranks_whole_batch(p)) {
        cuts[0] = make_cut(p, 0, p->spec.shape.samples, 0, p->spec.shape.voxels);
        return 1;
    }
    int64_t voxels = p->spec.shape.voxels,
            step = needs_whole_samples(p) || voxels <= 64 ? voxels : (voxels / 3 + 63) / 64 * 64;
    int64_t starts = (voxels + step - 1) / step;
    for (int64_t s = p->spec.shape.samples - 1; s >= 0; s--)
        for (int64_t i = starts - 1; i >= 0 && count < MOST_CUTS; i--) {
            int64_t first = i * step, length = first + step > voxels ? voxels - first : step;
            cuts[count++] = make_cut(p, s, 1, first, length);
        }
    return count;
}

static int accumulate_cuts(const problem *p, run_memory *m, const cut *cuts, int count, int64_t *totals) {
    size_t words = closs_totals_count(m->plan);
    for (int stage = 0; stage < closs_stage_count(m->plan); stage++) {
        int64_t *other = allocate(words, sizeof *other);
        memcpy(other, totals, words * sizeof *other);
        size_t first, stage_words;
        closs_stage_words(m->plan, stage, &first, &stage_words);
        memset(other + first, 0, stage_words * sizeof *other);
        /* Every second part goes through totals of its own, as on another rank. */
        int ok = 1;
        for (int i = 0; ok && i < count; i++)
            ok = good(p->name, closs_accumulate(m->plan, stage, &cuts[i].batch, i % 2 ? other : totals, words,
                                                m->scratch, m->scratch_bytes, &last_error));
        ok = ok && good(p->name, closs_merge(m->plan, stage, totals, words, other, words, &last_error));
        free(other);
        if (!ok) return 0;
    }
    return 1;
}

static int gradient_of_cut(const problem *p, run_memory *m, const cut *c, const int64_t *coefficients,
                           float *gradient) {
    size_t count = c->batch.logits_count, words = closs_coefficients_count(m->plan);
    int64_t classes = p->spec.shape.classes;
    closs_gradient_buffer buffer = {.values = c->memory[0], .count = count, .write = p->write, .scale = p->scale};
    float *own = NULL;
    if (!p->in_place) {
        buffer.values = own = allocate(count, sizeof *own);
        copy_rows((char *)own, (const char *)gradient, classes, sizeof *own, p, &c->batch, 0);
    }
    int ok = good(p->name, closs_gradient(m->plan, coefficients, words, &c->batch, &buffer, m->scratch,
                                          m->scratch_bytes, &last_error));
    if (ok) copy_rows((char *)buffer.values, (const char *)gradient, classes, sizeof *gradient, p, &c->batch, 1);
    free(own);
    return ok;
}

static int map_of_cut(const problem *p, run_memory *m, const cut *c, float *map) {
    if (!loss_map_count(p)) return 1;
    int64_t rows = p->spec.activation == CLOSS_SOFTMAX ? 1 : p->spec.shape.classes;
    size_t count = (size_t)(c->batch.sample_count * rows * c->batch.voxel_count);
    float *own = allocate(count, sizeof *own);
    int ok = good(p->name, closs_loss_map(m->plan, &c->batch, CLOSS_ALL_TERMS, own, count, m->scratch, m->scratch_bytes,
                                          &last_error));
    if (ok) copy_rows((char *)own, (const char *)map, rows, sizeof *own, p, &c->batch, 1);
    free(own);
    return ok;
}

int run_in_parts(const problem *p, outcome *out) {
    run_memory m;
    if (!begin_run(p, &m)) return 0;
    cut cuts[MOST_CUTS];
    int count = make_cuts(p, cuts);
    int64_t *totals = allocate(closs_totals_count(m.plan), sizeof *totals);
    int64_t *coefficients = allocate(closs_coefficients_count(m.plan), sizeof *coefficients);
    float *gradient = allocate(p->values, sizeof *gradient);
    memcpy(gradient, p->start, p->values * sizeof *gradient);
    int ok = accumulate_cuts(p, &m, cuts, count, totals) &&
             good(p->name, closs_finish(m.plan, totals, closs_totals_count(m.plan), &m.result, coefficients,
                                        closs_coefficients_count(m.plan), &last_error));
    float *map = allocate(loss_map_count(p), sizeof *map);
    for (int i = 0; ok && i < count; i++) ok = map_of_cut(p, &m, &cuts[i], map);
    /* After the maps: a gradient may take its logits' place. */
    for (int i = 0; ok && i < count; i++) ok = gradient_of_cut(p, &m, &cuts[i], coefficients, gradient);
    if (ok) *out = outcome_of(p, &m, gradient, map);
    free(map);
    for (int i = 0; i < count; i++) free_cut(&cuts[i]);
    free(totals);
    free(coefficients);
    free(gradient);
    end_run(&m);
    return ok;
}
