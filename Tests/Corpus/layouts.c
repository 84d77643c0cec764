/* Losses of buffers that lie otherwise, and of logits and gradients that are stored in 16 bits. All but a gradient that
 * is rounded to 16 bits must be what contiguous floats of the same values give. */
#include <closs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "evaluation.h"
#include "inputs.h"
#include "memory.h"
#include "report.h"
#include "stored.h"
#include "views.h"

/* Terms of every kind of walk over the batch. */
static const closs_term_kind SOFTMAX_SETS[][MOST_TERMS] = {
    {CLOSS_DICE, CLOSS_CROSS_ENTROPY}, {CLOSS_LINEAR_MAP, CLOSS_FOCAL}, {CLOSS_TOP_K},
    {CLOSS_OHEM, CLOSS_TVERSKY},       {CLOSS_LOVASZ_SOFTMAX},          {CLOSS_HAUSDORFF, CLOSS_BOUNDARY},
};

static const closs_term_kind CHANNEL_SETS[][MOST_TERMS] = {
    {CLOSS_DICE, CLOSS_BINARY_CROSS_ENTROPY},
    {CLOSS_FOCAL, CLOSS_LINEAR_MAP},
    {CLOSS_BALANCED_BINARY_CROSS_ENTROPY},
    {CLOSS_BALANCED_L1, CLOSS_JACCARD},
    {CLOSS_LOVASZ_HINGE},
    {CLOSS_HAUSDORFF, CLOSS_BOUNDARY},
};

/* ----------------------------------------------------------------------------------------------------- problem ---- */

typedef struct laid_problem {
    closs_float logits_type, gradient_type;
    laid_buffer logits, targets, mask, weights, maps, gradient;
} laid_problem;

static laid_buffer lay_out_floats(const float *values, closs_float type, const problem *p, int kind) {
    void *stored = store(type, values, p->values);
    laid_buffer b = lay_out(stored, stored_bytes(type), p, p->spec.shape.classes, kind);
    free(stored);
    return b;
}

static laid_problem lay_out_problem(problem *p, random_numbers *r) {
    static const char *TYPES[] = {"float", "half", "bfloat"};
    laid_problem l;
    int kinds[6];
    for (int i = 0; i < 6; i++) kinds[i] = (int)below(r, VIEWS);
    l.logits_type = (closs_float)below(r, 3);
    l.gradient_type = (closs_float)below(r, 3);
    if (p->in_place) l.gradient_type = l.logits_type, kinds[5] = kinds[0];
    const int64_t classes = p->spec.shape.classes;
    cut_to_type(l.logits_type, p->logits, p->values);
    cut_to_type(l.gradient_type, p->start, p->values);
    l.logits = lay_out_floats(p->logits, l.logits_type, p, kinds[0]);
    l.gradient = lay_out_floats(p->in_place ? p->logits : p->start, l.gradient_type, p, kinds[5]);
    l.targets =
        lay_out(p->targets, target_bytes(p->batch.target), p, is_dense(p->batch.target) ? classes : 0, kinds[1]);
    l.mask = lay_out(p->mask, 1, p, 0, kinds[2]);
    l.weights = lay_out(p->weights, sizeof(float), p, 0, kinds[3]);
    l.maps = lay_out(p->maps, sizeof(float), p, classes, kinds[4]);
    add_to_name(p, " %s to %s, views %d%d%d%d%d%d", TYPES[l.logits_type], TYPES[l.gradient_type], kinds[0], kinds[1],
                kinds[2], kinds[3], kinds[4], kinds[5]);
    return l;
}

static void free_laid(laid_problem *l) {
    free(l->logits.values);
    free(l->targets.values);
    free(l->mask.values);
    free(l->weights.values);
    free(l->maps.values);
    free(l->gradient.values);
}

static closs_batch batch_of(const problem *p, const laid_problem *l) {
    return (closs_batch){.logits = l->logits.values,
                         .logits_count = l->logits.count,
                         .logits_type = l->logits_type,
                         .logits_view = l->logits.view,
                         .target = p->batch.target,
                         .targets = l->targets.values,
                         .targets_count = l->targets.count,
                         .targets_view = l->targets.view,
                         .mask = (const uint8_t *)l->mask.values,
                         .mask_count = l->mask.count,
                         .mask_view = l->mask.view,
                         .weights = (const float *)(const void *)l->weights.values,
                         .weights_count = l->weights.count,
                         .weights_view = l->weights.view,
                         .maps = (const float *)(const void *)l->maps.values,
                         .maps_count = l->maps.count,
                         .maps_view = l->maps.view,
                         .extents = p->spec.extents};
}

/* ------------------------------------------------------------------------------------------------------- call ---- */

/* The gradient, contiguous; what lies between its elements must be what was there. */
static uint64_t hash_laid_gradient(const problem *p, const laid_problem *l) {
    const int64_t classes = p->spec.shape.classes;
    char *contiguous = allocate(p->values, l->gradient.size);
    copy_elements(&l->gradient, contiguous, p, classes, 1);
    laid_buffer expected = l->gradient;
    expected.values = allocate(expected.count, expected.size);
    memset(expected.values, GAP, expected.count * expected.size);
    copy_elements(&expected, contiguous, p, classes, 0);
    if (memcmp(expected.values, l->gradient.values, expected.count * expected.size))
        contradicted(p->name, "WRITES BETWEEN THE ELEMENTS");
    uint64_t hash = hash_bytes(HASH_START, contiguous, p->values * l->gradient.size);
    free(expected.values);
    free(contiguous);
    return hash;
}

static int run_laid_out(const problem *p, laid_problem *l, outcome *out) {
    run_memory m;
    if (!begin_run(p, &m)) return 0;
    closs_batch batch = batch_of(p, l);
    closs_gradient_buffer buffer = {.values = l->gradient.values,
                                    .count = l->gradient.count,
                                    .write = p->write,
                                    .scale = p->scale,
                                    .type = l->gradient_type,
                                    .view = l->gradient.view};
    size_t count = loss_map_count(p);
    float *map = allocate(count, sizeof *map);
    int ok = !count || good(p->name, closs_loss_map(m.plan, &batch, CLOSS_ALL_TERMS, map, count, m.scratch,
                                                    m.scratch_bytes, &last_error));
    if (p->in_place) batch.logits = l->gradient.values;
    ok = ok &&
         good(p->name, closs_evaluate(m.plan, &batch, &buffer, &m.result, m.scratch, m.scratch_bytes, &last_error));
    if (ok)
        *out = (outcome){hash_result(&m), hash_laid_gradient(p, l), hash_bytes(HASH_START, map, count * sizeof *map)};
    free(map);
    end_run(&m);
    return ok;
}

static void run_layout(problem *p, random_numbers r) {
    laid_problem l = lay_out_problem(p, &r);
    outcome laid, contiguous;
    if (run_laid_out(p, &l, &laid)) {
        printf("layout %s: %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n", p->name, laid.value_hash,
               laid.gradient_hash, laid.map_hash);
        if (run_whole(p, &contiguous)) {
            /* A gradient of 16 bits is another rounding of the same. */
            if (l.gradient_type != CLOSS_FLOAT32) contiguous.gradient_hash = laid.gradient_hash;
            if (memcmp(&laid, &contiguous, sizeof laid)) contradicted(p->name, "CONTIGUOUS DIFFERS");
        }
    }
    free_laid(&l);
    free_problem(p);
}

void run_layouts(void) {
    static const int64_t VOXELS[] = {1, 17, 65, 333, 1024, 4099, 20011};
    enum { ROUNDS = 3 };
    uint64_t seed = 0;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t v = 0; v < COUNT(VOXELS); v++)
            for (int activation = CLOSS_SOFTMAX; activation <= CLOSS_PROBABILITIES; activation++)
                for (size_t s = 0; s < COUNT(SOFTMAX_SETS); s++, seed++) {
                    random_numbers r = {seed};
                    int64_t classes = 1 + (activation == CLOSS_SOFTMAX) + below(&r, 5);
                    const closs_term_kind *set = activation == CLOSS_SOFTMAX ? SOFTMAX_SETS[s] : CHANNEL_SETS[s];
                    run_layout(make_problem(seed, (closs_activation)activation, set, 1 + (int64_t)(seed % 3), classes,
                                            VOXELS[v]),
                               r);
                }
}
