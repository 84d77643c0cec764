/* Metrics: confusion counts, counts at thresholds with their scores, and distances between surfaces. */
#include <closs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "memory.h"
#include "random.h"
#include "report.h"
#include "stored.h"

/* A prediction and the truth. */
typedef struct scene {
    char name[160];
    uint64_t seed;
    closs_shape shape;
    closs_extents extents;
    uint8_t *labels, *predicted, *mask;
    float *logits;
    void *stored;
    closs_metric_batch of_labels, of_logits, of_stored; /* of_stored: the same logits in 16 bits */
} scene;

enum { SAMPLES = 2, IGNORED = 255 };

/* Labels in stretches, some of them ignored, and some masked. */
static void draw_truth(random_numbers *r, size_t voxels, int64_t classes, uint8_t *labels, uint8_t *mask) {
    for (size_t i = 0; i < voxels;) {
        uint8_t label = one_in(r, 9) ? IGNORED : (uint8_t)below(r, classes);
        for (int64_t length = 1 + below(r, 40); length > 0 && i < voxels; length--, i++) {
            labels[i] = label;
            mask[i] = !one_in(r, 11);
        }
    }
}

static scene draw_scene(uint64_t seed, int64_t classes, closs_extents extents) {
    random_numbers r = {seed};
    const int64_t voxels = extents.planes * extents.rows * extents.columns;
    const size_t all = (size_t)(SAMPLES * voxels), values = all * (size_t)classes;
    scene s = {.seed = seed, .shape = {SAMPLES, classes, voxels}, .extents = extents};
    snprintf(s.name, sizeof s.name, "metrics %" PRIu64 " classes %" PRId64 " voxels %" PRId64, seed, classes, voxels);
    s.labels = allocate(all, 1), s.predicted = allocate(all, 1), s.mask = allocate(all, 1);
    s.logits = allocate(values, sizeof *s.logits);
    draw_truth(&r, all, classes, s.labels, s.mask);
    for (size_t i = 0; i < all; i++)
        s.predicted[i] = one_in(&r, 6) || s.labels[i] == IGNORED ? (uint8_t)below(&r, classes) : s.labels[i];
    for (size_t i = 0; i < values; i++) s.logits[i] = (float)(below(&r, 4096) - 2048) * 0x1p-8f;
    const closs_float type = seed % 2 ? CLOSS_FLOAT16 : CLOSS_BFLOAT16;
    cut_to_type(type, s.logits, values);
    s.stored = store(type, s.logits, values);
    s.of_labels = (closs_metric_batch){.predictions = s.predicted,
                                       .predictions_count = all,
                                       .predicted = CLOSS_LABELS_U8,
                                       .target = CLOSS_LABELS_U8,
                                       .targets = s.labels,
                                       .targets_count = all,
                                       .mask = s.mask,
                                       .mask_count = all};
    s.of_logits = s.of_labels;
    s.of_logits.predictions = s.logits;
    s.of_logits.predictions_count = values;
    s.of_stored = s.of_logits;
    s.of_stored.predictions = s.stored;
    s.of_stored.predictions_type = type;
    return s;
}

static void free_scene(scene *s) {
    free(s->labels);
    free(s->predicted);
    free(s->mask);
    free(s->logits);
    free(s->stored);
}

/* All kinds of scores, means and rules for what is empty. */
static uint64_t scores_hash(const scene *s, const closs_counts *counts, size_t count) {
    uint64_t hash = HASH_START;
    for (int kind = CLOSS_SCORE_DICE; kind <= CLOSS_SCORE_TWO_CLASS_IOU; kind++)
        for (int empty = CLOSS_EMPTY_EXCLUDED; empty <= CLOSS_EMPTY_ABSENT_EXCLUDED; empty++) {
            closs_score_spec spec = {.samples = SAMPLES,
                                     .classes = s->shape.classes,
                                     .kind = (closs_score_kind)kind,
                                     .empty = (closs_empty)empty,
                                     .first_class = (int64_t)(s->seed % 2)};
            for (int average = CLOSS_AVERAGE_MACRO; average <= CLOSS_AVERAGE_MICRO_PER_SAMPLE; average++) {
                double value = 0;
                spec.average = (closs_average)average;
                good(s->name, closs_scores(&spec, counts, count, &value, 1, NULL, &last_error));
                hash = hash_bytes(hash, &value, sizeof value);
            }
            for (size_t i = 0; i < count; i++) {
                double value = closs_score(&counts[i], spec.kind, spec.empty);
                hash = hash_bytes(hash, &value, sizeof value);
            }
        }
    return hash;
}

static uint64_t scores_of_matrix(const scene *s, const int64_t *matrix, size_t cells) {
    const size_t count = SAMPLES * (size_t)s->shape.classes;
    closs_counts *counts = allocate(count, sizeof *counts);
    uint64_t hash = 0;
    if (good(s->name, closs_confusion_counts(SAMPLES, s->shape.classes, matrix, cells, counts, count, &last_error)))
        hash = hash_bytes(scores_hash(s, counts, count), counts, count * sizeof *counts);
    free(counts);
    return hash;
}

typedef struct confusion_hashes {
    uint64_t matrix, scores;
} confusion_hashes;

static confusion_hashes hash_confusion(const scene *s, closs_prediction_kind prediction,
                                       const closs_metric_batch *batch) {
    const closs_confusion_spec spec = {.shape = s->shape,
                                       .prediction = prediction,
                                       .has_ignore_index = 1,
                                       .ignore_index = IGNORED,
                                       .threads = threads,
                                       .isa = isa};
    const size_t classes = (size_t)s->shape.classes, cells = SAMPLES * classes * classes;
    const size_t bytes = closs_confusion_scratch_bytes(&spec);
    int64_t *matrix = allocate(cells, sizeof *matrix);
    void *scratch = allocate(bytes, 1);
    confusion_hashes hashes = {0};
    if (good(s->name, closs_confusion(&spec, batch, matrix, cells, scratch, bytes, &last_error)))
        hashes = (confusion_hashes){hash_bytes(1, matrix, cells * sizeof *matrix), scores_of_matrix(s, matrix, cells)};
    free(matrix);
    free(scratch);
    return hashes;
}

/* The counts at all thresholds, and the mean of their scores. */
static uint64_t threshold_hash(const scene *s, const closs_metric_batch *batch) {
    enum { THRESHOLDS = 11 };
    static const float VALUES[THRESHOLDS] = {0.03125f, 0.125f,  0.25f, 0.375f, 0.5f,    0.5625f,
                                             0.625f,   0.6875f, 0.75f, 0.875f, 0.96875f};
    const closs_threshold_spec spec = {.shape = s->shape,
                                       .activation = CLOSS_SIGMOID,
                                       .thresholds = VALUES,
                                       .threshold_count = THRESHOLDS,
                                       .has_ignore_index = 1,
                                       .ignore_index = IGNORED,
                                       .threads = threads,
                                       .isa = isa};
    const closs_score_spec of = {.samples = SAMPLES,
                                 .classes = s->shape.classes,
                                 .thresholds = THRESHOLDS,
                                 .kind = CLOSS_SCORE_IOU,
                                 .empty = CLOSS_EMPTY_ONE};
    const size_t count = SAMPLES * (size_t)s->shape.classes * THRESHOLDS, bytes = closs_threshold_scratch_bytes(&spec);
    closs_counts *counts = allocate(count, sizeof *counts);
    void *scratch = allocate(bytes, 1);
    double scores[THRESHOLDS], mean = 0;
    uint64_t hash = 0;
    if (good(s->name, closs_threshold_counts(&spec, batch, counts, count, scratch, bytes, &last_error)) &&
        good(s->name, closs_scores(&of, counts, count, scores, THRESHOLDS, &mean, &last_error)))
        hash = hash_bytes(hash_bytes(1, counts, count * sizeof *counts), &mean, sizeof mean);
    free(counts);
    free(scratch);
    return hash;
}

static uint64_t surface_hash(const scene *s) {
    const closs_surface_spec spec = {.samples = SAMPLES,
                                     .extents = s->extents,
                                     .spacing = {2.5, 0, s->seed % 2 ? 0.75 : 0},
                                     .class_count = (int)s->shape.classes,
                                     .percentile = 95,
                                     .absent = CLOSS_SURFACE_DIAGONAL,
                                     .has_ignore_index = 1,
                                     .ignore_index = IGNORED,
                                     .threads = threads,
                                     .isa = isa};
    const size_t count = SAMPLES * (size_t)s->shape.classes, bytes = closs_surface_scratch_bytes(&spec);
    closs_surface_distances *distances = allocate(count, sizeof *distances);
    void *scratch = allocate(bytes, 1);
    uint64_t hash = 0;
    if (good(s->name, closs_surface(&spec, &s->of_labels, distances, count, scratch, bytes, &last_error)))
        hash = hash_bytes(1, distances, count * sizeof *distances);
    free(distances);
    free(scratch);
    return hash;
}

static void run_scene(uint64_t seed, int64_t classes, closs_extents extents) {
    scene s = draw_scene(seed, classes, extents);
    confusion_hashes labels = hash_confusion(&s, CLOSS_PREDICTED_LABELS, &s.of_labels);
    confusion_hashes logits = hash_confusion(&s, CLOSS_PREDICTED_LOGITS, &s.of_logits);
    confusion_hashes stored = hash_confusion(&s, CLOSS_PREDICTED_LOGITS, &s.of_stored);
    uint64_t thresholds = threshold_hash(&s, &s.of_logits);
    printf("%s: %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n", s.name,
           labels.matrix ^ 3 * logits.matrix, labels.scores ^ 3 * logits.scores, thresholds, surface_hash(&s));
    if (memcmp(&stored, &logits, sizeof logits) || threshold_hash(&s, &s.of_stored) != thresholds)
        contradicted(s.name, "STORED IN 16 BITS DIFFERS");
    free_scene(&s);
}

void run_metrics(void) {
    static const closs_extents EXTENTS[] = {{1, 1, 1}, {1, 1, 17},  {1, 5, 13},   {1, 8, 8},    {1, 63, 65},
                                            {3, 5, 7}, {4, 16, 16}, {1, 129, 40}, {11, 23, 31}, {1, 200, 211}};
    static const int64_t CLASSES[] = {2, 3, 4, 5, 19, 41};
    uint64_t seed = 0;
    for (size_t e = 0; e < COUNT(EXTENTS); e++)
        for (size_t c = 0; c < COUNT(CLASSES); c++, seed++) run_scene(seed, CLASSES[c], EXTENTS[e]);
}
