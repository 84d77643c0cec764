/* Losses of one term and of several, in shapes where a kernel changes its course. */
#include <closs.h>

#include <stdio.h>
#include <string.h>

#include "corpus.h"
#include "evaluation.h"
#include "report.h"
#include "terms.h"

/* The sets of terms that the corpus covers; 0 ends one. */
static const closs_term_kind SOFTMAX_SETS[][MOST_TERMS] = {
    {CLOSS_CROSS_ENTROPY},
    {CLOSS_DICE},
    {CLOSS_DICE, CLOSS_CROSS_ENTROPY},
    {CLOSS_CROSS_ENTROPY, CLOSS_DICE, CLOSS_DICE, CLOSS_CROSS_ENTROPY},
    {CLOSS_JACCARD, CLOSS_MATTHEWS, CLOSS_LEAKY_DICE},
    {CLOSS_TVERSKY, CLOSS_GENERALIZED_DICE, CLOSS_CROSS_ENTROPY},
    {CLOSS_FOCAL, CLOSS_CROSS_ENTROPY},
    {CLOSS_LINEAR_MAP, CLOSS_DICE, CLOSS_CROSS_ENTROPY},
    {CLOSS_SQUARED_ERROR, CLOSS_SMOOTH_L1, CLOSS_ABSOLUTE_ERROR, CLOSS_LINEAR_MAP},
    {CLOSS_DICE, CLOSS_TOP_K},
    {CLOSS_OHEM, CLOSS_FOCAL},
    {CLOSS_LOVASZ_SOFTMAX},
    {CLOSS_LOVASZ_SOFTMAX, CLOSS_CROSS_ENTROPY, CLOSS_DICE, CLOSS_TOP_K},
    {CLOSS_SQUARED_ERROR, CLOSS_LOVASZ_SOFTMAX},
    {CLOSS_BINARY_CROSS_ENTROPY, CLOSS_DICE, CLOSS_FOCAL},
};

static const closs_term_kind CHANNEL_SETS[][MOST_TERMS] = {
    {CLOSS_BINARY_CROSS_ENTROPY},
    {CLOSS_FOCAL},
    {CLOSS_DICE},
    {CLOSS_BALANCED_BINARY_CROSS_ENTROPY},
    {CLOSS_DICE, CLOSS_BINARY_CROSS_ENTROPY},
    {CLOSS_JACCARD, CLOSS_MATTHEWS, CLOSS_SQUARED_ERROR},
    {CLOSS_TVERSKY, CLOSS_GENERALIZED_DICE, CLOSS_SMOOTH_L1, CLOSS_ABSOLUTE_ERROR},
    {CLOSS_DICE, CLOSS_FOCAL},
    {CLOSS_LINEAR_MAP, CLOSS_FOCAL},
    {CLOSS_FOCAL, CLOSS_BINARY_CROSS_ENTROPY, CLOSS_FOCAL, CLOSS_DICE},
    {CLOSS_BALANCED_BINARY_CROSS_ENTROPY, CLOSS_DICE, CLOSS_FOCAL},
    {CLOSS_TOP_K},
    {CLOSS_OHEM, CLOSS_DICE},
    {CLOSS_BALANCED_L1, CLOSS_FOCAL},
    {CLOSS_LOVASZ_SOFTMAX},
    {CLOSS_DICE, CLOSS_LOVASZ_SOFTMAX, CLOSS_BINARY_CROSS_ENTROPY},
    {CLOSS_LOVASZ_HINGE},
    {CLOSS_LOVASZ_HINGE, CLOSS_BALANCED_L1, CLOSS_SQUARED_ERROR},
    {CLOSS_FOCAL_STAR},
    {CLOSS_SQUARED_ERROR},
    {CLOSS_FOCAL_STAR, CLOSS_BINARY_CROSS_ENTROPY, CLOSS_ABSOLUTE_ERROR, CLOSS_FOCAL},
};

/* Those that measure distances. */
static const closs_term_kind DISTANCE_SETS[][MOST_TERMS] = {
    {CLOSS_BOUNDARY},
    {CLOSS_HAUSDORFF},
    {CLOSS_BOUNDARY, CLOSS_GENERALIZED_DICE},
    {CLOSS_HAUSDORFF, CLOSS_LINEAR_MAP, CLOSS_BOUNDARY, CLOSS_FOCAL},
};

/* Those with options that few losses have. */
static const closs_term_kind RARE_SOFTMAX_SETS[][MOST_TERMS] = {
    {CLOSS_CROSS_ENTROPY},
    {CLOSS_CROSS_ENTROPY, CLOSS_DICE},
    {CLOSS_FOCAL, CLOSS_GENERALIZED_DICE},
    {CLOSS_JACCARD, CLOSS_TVERSKY, CLOSS_MATTHEWS, CLOSS_LEAKY_DICE},
    {CLOSS_LOVASZ_SOFTMAX},
    {CLOSS_HAUSDORFF, CLOSS_BOUNDARY},
};

static const closs_term_kind RARE_CHANNEL_SETS[][MOST_TERMS] = {
    {CLOSS_BALANCED_BINARY_CROSS_ENTROPY},
    {CLOSS_DICE, CLOSS_BINARY_CROSS_ENTROPY},
    {CLOSS_FOCAL, CLOSS_GENERALIZED_DICE},
    {CLOSS_JACCARD, CLOSS_TVERSKY, CLOSS_MATTHEWS, CLOSS_LEAKY_DICE},
    {CLOSS_LOVASZ_HINGE},
    {CLOSS_HAUSDORFF, CLOSS_BOUNDARY},
};

static void run_problem(problem *p) {
    outcome whole, parts;
    if (run_whole(p, &whole)) {
        printf("%s: %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n", p->name, whole.value_hash, whole.gradient_hash,
               whole.map_hash);
        if (run_in_parts(p, &parts) && memcmp(&parts, &whole, sizeof whole)) contradicted(p->name, "IN PARTS DIFFERS");
    }
    free_problem(p);
}

/* Around the vector, the block of 64 and the run of a kernel. */
static const int64_t VOXELS[] = {1, 15, 16, 17, 63, 64, 65, 127, 129, 333, 1024, 4099, 20011};
static const int64_t CLASSES[] = {2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 33, 105, 512};
static const int64_t CHANNELS[] = {1, 2, 3, 5};

enum { ROUNDS = 3, FEW_CLASSES = 5 };

/* Each of the following begins with the seed that it is given, and returns the next. */

static uint64_t run_voxel_counts(uint64_t seed) {
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t v = 0; v < COUNT(VOXELS); v++) {
            for (size_t s = 0; s < COUNT(SOFTMAX_SETS); s++, seed++)
                run_problem(make_problem(seed, CLOSS_SOFTMAX, SOFTMAX_SETS[s], 1 + (int64_t)(seed % 3),
                                         CLASSES[(v + 3 * s + round) % FEW_CLASSES], VOXELS[v]));
            for (int activation = CLOSS_SIGMOID; activation <= CLOSS_PROBABILITIES; activation++)
                for (size_t s = 0; s < COUNT(CHANNEL_SETS); s++, seed++)
                    run_problem(make_problem(seed, (closs_activation)activation, CHANNEL_SETS[s],
                                             1 + (int64_t)(seed % 3), CHANNELS[(v + s + round) % COUNT(CHANNELS)],
                                             VOXELS[v]));
        }
    return seed;
}

static uint64_t run_class_counts(uint64_t seed) {
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t c = 0; c < COUNT(CLASSES); c++)
            for (size_t s = 0; s < COUNT(SOFTMAX_SETS); s++, seed++)
                run_problem(make_problem(seed, CLOSS_SOFTMAX, SOFTMAX_SETS[s], 2, CLASSES[c], 149));
    return seed;
}

/* Large enough for several threads. */
static uint64_t run_large(uint64_t seed) {
    for (size_t s = 0; s < COUNT(SOFTMAX_SETS); s++, seed++)
        run_problem(make_problem(seed, CLOSS_SOFTMAX, SOFTMAX_SETS[s], 2, 4, 40013));
    for (size_t s = 0; s < COUNT(CHANNEL_SETS); s++, seed++)
        run_problem(make_problem(seed, CLOSS_SIGMOID, CHANNEL_SETS[s], 2, 1, 90001));
    return seed;
}

static uint64_t run_distance_terms(uint64_t seed) {
    for (size_t round = 0; round < 2 * ROUNDS; round++)
        for (size_t v = 0; v < COUNT(VOXELS); v++)
            for (int activation = CLOSS_SOFTMAX; activation <= CLOSS_PROBABILITIES; activation++)
                for (size_t s = 0; s < COUNT(DISTANCE_SETS); s++, seed++) {
                    size_t turn = v + s + round;
                    int64_t classes =
                        activation == CLOSS_SOFTMAX ? CLASSES[turn % FEW_CLASSES] : CHANNELS[turn % COUNT(CHANNELS)];
                    run_problem(make_problem(seed, (closs_activation)activation, DISTANCE_SETS[s],
                                             1 + (int64_t)(seed % 3), classes, VOXELS[v]));
                }
    return seed;
}

static uint64_t run_rare_options(uint64_t seed) {
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t v = 0; v < COUNT(VOXELS); v++)
            for (int activation = CLOSS_SOFTMAX; activation <= CLOSS_PROBABILITIES; activation++)
                for (size_t s = 0; s < COUNT(RARE_SOFTMAX_SETS); s++, seed++) {
                    int is_softmax = activation == CLOSS_SOFTMAX;
                    random_numbers r = {seed};
                    problem *p = make_problem(seed, (closs_activation)activation,
                                              is_softmax ? RARE_SOFTMAX_SETS[s] : RARE_CHANNEL_SETS[s],
                                              1 + (int64_t)(seed % 3), 1 + is_softmax + below(&r, 5), VOXELS[v]);
                    add_rare_options(p, &r);
                    run_problem(p);
                }
    return seed;
}

void run_losses(void) { run_rare_options(run_distance_terms(run_large(run_class_counts(run_voxel_counts(0))))); }
