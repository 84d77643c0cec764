/* DBNet's loss of a probability map and a threshold map. Each problem is computed from maps of their own, from channels
 * of one head, and without a gradient; where these differ the program fails by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binarization_maps.h"
#include "corpus.h"
#include "memory.h"
#include "report.h"

typedef struct two_gradients {
    closs_binarization_result result;
    float *of[2]; /* contiguous */
} two_gradients;

static int evaluate(const two_maps *m, const closs_binarization_batch *batch,
                    const closs_binarization_gradient *gradient, closs_binarization_result *result) {
    closs_binarization *binarization;
    if (!good(m->name, closs_binarization_create(&m->spec, &binarization, &last_error))) return 0;
    size_t bytes = closs_binarization_scratch_bytes(binarization);
    void *scratch = allocate(bytes, 1);
    int ok =
        good(m->name, closs_binarization_evaluate(binarization, batch, gradient, result, scratch, bytes, &last_error));
    free(scratch);
    closs_binarization_destroy(binarization);
    return ok;
}

static int run_apart(const two_maps *m, two_gradients *out) {
    for (int i = 0; i < 2; i++) memcpy(out->of[i], m->starts[i], m->values * sizeof(float));
    closs_binarization_gradient gradient = {.map = {.values = out->of[0], .count = m->values},
                                            .threshold = {.values = out->of[1], .count = m->values},
                                            .write = m->write,
                                            .scale = m->scale};
    return evaluate(m, &m->batch, &gradient, &out->result);
}

/* A head of three channels, each beginning at a cache line: both maps are the outer ones. */
typedef struct head {
    size_t stride, places[2], count; /* in floats; places: of the maps' first values */
    float *memory, *values;
} head;

static head make_head(const two_maps *m, float *const *maps) {
    enum { LINE = 64 };
    const size_t line = LINE / sizeof(float), voxels = (size_t)m->spec.voxels, samples = (size_t)m->spec.samples;
    const size_t channel = (voxels + line - 1) / line * line;
    head h = {.stride = 3 * channel, .places = {0, 2 * channel}};
    h.count = (samples - 1) * h.stride + h.places[1] + voxels;
    h.memory = allocate(h.count + line, sizeof(float));
    h.values = h.memory + (LINE - (uintptr_t)h.memory % LINE) / sizeof(float);
    for (size_t v = 0; v < h.count; v++) h.values[v] = 0.375f;
    for (int i = 0; i < 2; i++)
        for (size_t n = 0; n < samples; n++)
            memcpy(h.values + h.places[i] + n * h.stride, maps[i] + n * voxels, voxels * sizeof(float));
    return h;
}

static closs_map map_of(const head *h, int i) {
    return (closs_map){h->values + h->places[i], h->count - h->places[i], (int64_t)h->stride};
}

static closs_map_gradient gradient_of(const head *h, int i) {
    return (closs_map_gradient){h->values + h->places[i], h->count - h->places[i], (int64_t)h->stride};
}

/* Whether a head holds these two maps, and between them what it held before. */
static int holds(const two_maps *m, const head *h, float *const *maps) {
    head expected = make_head(m, maps);
    int same = memcmp(expected.values, h->values, h->count * sizeof(float)) == 0;
    free(expected.memory);
    return same;
}

static void check_head(const two_maps *m, const two_gradients *expected) {
    head inputs = make_head(m, m->inputs), gradients = make_head(m, m->starts);
    closs_binarization_batch batch = m->batch;
    batch.map = map_of(&inputs, 0);
    batch.threshold = map_of(&inputs, 1);
    closs_binarization_gradient gradient = {.map = gradient_of(&gradients, 0),
                                            .threshold = gradient_of(&gradients, 1),
                                            .write = m->write,
                                            .scale = m->scale};
    closs_binarization_result result;
    if (evaluate(m, &batch, &gradient, &result) &&
        (memcmp(&result, &expected->result, sizeof result) || !holds(m, &gradients, expected->of)))
        contradicted(m->name, "FROM A HEAD DIFFERS");
    free(inputs.memory);
    free(gradients.memory);
}

static void check_value(const two_maps *m, const two_gradients *expected) {
    closs_binarization_result result;
    if (evaluate(m, &m->batch, NULL, &result) && memcmp(&result, &expected->result, sizeof result))
        contradicted(m->name, "WITHOUT A GRADIENT DIFFERS");
}

static void run_maps(two_maps m) {
    two_gradients out = {.of = {allocate(m.values, sizeof(float)), allocate(m.values, sizeof(float))}};
    if (run_apart(&m, &out)) {
        printf("%s: %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n", m.name,
               hash_bytes(HASH_START, &out.result, sizeof out.result),
               hash_bytes(HASH_START, out.of[0], m.values * sizeof(float)),
               hash_bytes(HASH_START, out.of[1], m.values * sizeof(float)));
        check_head(&m, &out);
        check_value(&m, &out);
    }
    for (int i = 0; i < 2; i++) free(out.of[i]);
    free_binarization(&m);
}

void run_binarization(void) {
    /* Around the vector and the block of 64; for several threads; and so large that gradients go past the cache. */
    static const int64_t VOXELS[] = {1, 15, 16, 17, 63, 64, 65, 127, 129, 333, 1024, 4099, 20011, 40013, 262147};
    enum { ROUNDS = 4 };
    uint64_t seed = 0;
    for (size_t v = 0; v < COUNT(VOXELS); v++)
        for (int round = 0; round < (VOXELS[v] > 100000 ? 1 : ROUNDS); round++)
            for (int activation = CLOSS_SIGMOID; activation <= CLOSS_PROBABILITIES; activation++)
                for (int main = CLOSS_BINARIZATION_BALANCED; main <= CLOSS_BINARIZATION_DICE; main++, seed++)
                    run_maps(draw_binarization(seed, (closs_activation)activation, (closs_binarization_main)main,
                                               VOXELS[v] > 100000 ? 2 : 1 + (int64_t)(seed % 5), VOXELS[v]));
}
