/* Deep supervision: losses at several scales in one call, which must be what each of them is in a call of its own. */
#include <closs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "evaluation.h"
#include "memory.h"
#include "report.h"

enum { MOST_SCALES = 4 };

static const closs_term_kind SOFTMAX_SETS[][MOST_TERMS] = {
    {CLOSS_DICE, CLOSS_CROSS_ENTROPY},
    {CLOSS_CROSS_ENTROPY},
    {CLOSS_TVERSKY, CLOSS_TOP_K},
    {CLOSS_LOVASZ_SOFTMAX, CLOSS_FOCAL},
    {CLOSS_BOUNDARY, CLOSS_GENERALIZED_DICE},
};

static const closs_term_kind CHANNEL_SETS[][MOST_TERMS] = {
    {CLOSS_DICE, CLOSS_BINARY_CROSS_ENTROPY},
    {CLOSS_FOCAL},
    {CLOSS_JACCARD, CLOSS_OHEM},
    {CLOSS_BALANCED_BINARY_CROSS_ENTROPY},
    {CLOSS_LOVASZ_HINGE, CLOSS_SQUARED_ERROR},
};

/* One scale: a problem, its share in the loss, and what a call needs and leaves. */
typedef struct supervised {
    problem *p;
    double weight;
    int wants_gradient;
    run_memory memory;
    float *gradient;
    closs_batch batch;
    closs_gradient_buffer buffer;
} supervised;

typedef struct supervision {
    char name[160];
    supervised scales[MOST_SCALES];
    size_t count;
} supervision;

typedef struct supervised_outcome {
    double value;
    uint64_t results, gradients;
} supervised_outcome;

static supervision draw_supervision(uint64_t seed, closs_activation activation, int64_t voxels) {
    random_numbers r = {seed};
    supervision all = {.count = (size_t)(1 + below(&r, MOST_SCALES))};
    int64_t samples = 1 + below(&r, 3), classes = activation == CLOSS_SOFTMAX ? 2 + below(&r, 6) : 1 + below(&r, 3);
    size_t set = (size_t)below(&r, COUNT(SOFTMAX_SETS));
    snprintf(all.name, sizeof all.name,
             "scales %" PRIu64 " activation %d %" PRId64 "x%" PRId64 "x%" PRId64 " set %d of %d", seed, (int)activation,
             samples, classes, voxels, (int)set, (int)all.count);
    for (size_t i = 0; i < all.count; i++) {
        supervised *s = &all.scales[i];
        s->p = make_problem(MOST_SCALES * seed + i, activation,
                            activation == CLOSS_SOFTMAX ? SOFTMAX_SETS[set] : CHANNEL_SETS[set], samples, classes,
                            voxels >> 2 * i ? voxels >> 2 * i : 1);
        s->weight = one_in(&r, 3) ? (double)(below(&r, 17) - 4) * 0.0625 : 1 / (double)(1 << i);
        s->wants_gradient = !one_in(&r, 8);
    }
    return all;
}

/* Plans, and makes the gradient's memory anew. */
static int begin_scale(supervised *s) {
    problem *p = s->p;
    if (!begin_run(p, &s->memory)) return 0;
    s->gradient = allocate(p->values, sizeof *s->gradient);
    memcpy(s->gradient, p->in_place ? p->logits : p->start, p->values * sizeof *s->gradient);
    s->batch = p->batch;
    if (p->in_place) s->batch.logits = s->gradient;
    s->buffer =
        (closs_gradient_buffer){.values = s->gradient, .count = p->values, .write = p->write, .scale = p->scale};
    return 1;
}

static void end_scale(supervised *s) {
    free(s->gradient);
    end_run(&s->memory);
}

static void add_scale(supervised_outcome *out, const supervised *s) {
    out->results = hash_bytes(hash_result(&s->memory), &out->results, sizeof out->results);
    out->gradients = hash_bytes(out->gradients, s->gradient, s->p->values * sizeof *s->gradient);
}

static int evaluate_alone(supervision *all, supervised_outcome *out) {
    int ok = 1;
    for (size_t i = 0; ok && i < all->count; i++) {
        supervised *s = &all->scales[i];
        run_memory *m = &s->memory;
        if (!begin_scale(s)) return 0;
        s->buffer.scale = (float)(s->weight * (double)s->buffer.scale);
        ok = good(all->name, closs_evaluate(m->plan, &s->batch, s->wants_gradient ? &s->buffer : NULL, &m->result,
                                            m->scratch, m->scratch_bytes, &last_error));
        if (ok) {
            out->value += s->weight * m->result.value;
            add_scale(out, s);
        }
        end_scale(s);
    }
    return ok;
}

static int evaluate_together(supervision *all, supervised_outcome *out) {
    closs_scale scales[MOST_SCALES];
    size_t begun = 0;
    for (; begun < all->count; begun++) {
        supervised *s = &all->scales[begun];
        if (!begin_scale(s)) break;
        scales[begun] = (closs_scale){.plan = s->memory.plan,
                                      .batch = &s->batch,
                                      .gradient = s->wants_gradient ? &s->buffer : NULL,
                                      .weight = s->weight,
                                      .result = &s->memory.result};
    }
    int ok = begun == all->count;
    if (ok) {
        size_t bytes = closs_scales_scratch_bytes(scales, all->count);
        void *scratch = allocate(bytes, 1);
        ok = good(all->name, closs_evaluate_scales(scales, all->count, &out->value, scratch, bytes, &last_error));
        free(scratch);
    }
    for (size_t i = 0; i < begun; i++) {
        if (ok) add_scale(out, &all->scales[i]);
        end_scale(&all->scales[i]);
    }
    return ok;
}

static void run_supervision(supervision all) {
    supervised_outcome together = {0}, alone = {0};
    if (evaluate_together(&all, &together)) {
        uint64_t value = hash_bytes(HASH_START, &together.value, sizeof together.value);
        printf("%s: %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n", all.name, value, together.results,
               together.gradients);
        if (evaluate_alone(&all, &alone) && memcmp(&alone, &together, sizeof alone))
            contradicted(all.name, "ALONE DIFFERS");
    }
    for (size_t i = 0; i < all.count; i++) free_problem(all.scales[i].p);
}

void run_scales(void) {
    static const int64_t VOXELS[] = {1, 65, 333, 1024, 4099, 20011};
    enum { ROUNDS = 4 };
    uint64_t seed = 0;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t v = 0; v < COUNT(VOXELS); v++)
            for (int activation = CLOSS_SOFTMAX; activation <= CLOSS_PROBABILITIES; activation++, seed++)
                run_supervision(draw_supervision(seed, (closs_activation)activation, VOXELS[v]));
}
