#include "driver/metric_passes.h"

#include <string.h>

#include "driver/parallel.h"

// ------------------------------------------------------------------------------------------------------- deals ----

static int64_t chunks_of(int64_t voxels) { return (voxels + METRIC_CHUNK - 1) / METRIC_CHUNK; }

static int64_t chunk_voxels(int64_t voxels, int64_t first) {
    return voxels - first < METRIC_CHUNK ? voxels - first : METRIC_CHUNK;
}

static void note_fault(metric_pass *pass) { __atomic_store_n(&pass->found, 1, __ATOMIC_RELAXED); }

static int is_stopped(const metric_pass *pass) { return __atomic_load_n(&pass->found, __ATOMIC_RELAXED); }

static void add_count(int64_t *total, int64_t count) {
    if (count) __atomic_fetch_add(total, count, __ATOMIC_RELAXED);
}

metric_labels metric_labels_at(const metric_pass *pass, int64_t sample, int64_t channel, int64_t first, int64_t limit) {
    const closs_metric_batch *b = pass->batch;
    const int64_t voxels = pass->shape.voxels;
    const int64_t row = target_is_dense(b->target) ? sample * pass->shape.classes + channel : sample;
    return (metric_labels){.type = b->target,
                           .labels =
                               (const char *)b->targets + (size_t)(row * voxels + first) * target_bytes(b->target),
                           .mask = b->mask ? b->mask + sample * voxels + first : 0,
                           .limit = limit,
                           .has_ignore = pass->has_ignore,
                           .ignore = pass->ignore};
}

// --------------------------------------------------------------------------------------------------- confusion ----

static void flush_table(const confusion_pass *p, uint32_t *table, int64_t sample) {
    const int64_t classes = p->pass.shape.classes, cells = classes * classes, copies = confusion_copies(classes);
    int64_t *totals = p->totals + sample * cells;
    for (int64_t i = 0; i < cells; i++) {
        int64_t count = 0;
        for (int64_t copy = 0; copy < copies; copy++) count += table[copy * cells + i];
        add_count(&totals[i], count);
    }
    memset(table, 0, (size_t)(copies * cells) * sizeof *table);
}

static fault count_chunk(const confusion_pass *p, int64_t sample, int64_t first, uint32_t *table) {
    const metric_pass *pass = &p->pass;
    const closs_metric_batch *b = pass->batch;
    const int64_t voxels = pass->shape.voxels, classes = pass->shape.classes;
    const int is_labels = p->prediction == CLOSS_PREDICTED_LABELS;
    const int64_t at = is_labels ? sample * voxels + first : sample * classes * voxels + first;
    const size_t bytes = is_labels ? target_bytes(b->predicted) : float_bytes(b->predictions_type);
    confusion_chunk chunk = {.targets = metric_labels_at(pass, sample, 0, first, classes),
                             .prediction = p->prediction,
                             .predicted = b->predicted,
                             .type = b->predictions_type,
                             .predictions = (const char *)b->predictions + (size_t)at * bytes,
                             .class_stride = voxels,
                             .classes = (int)classes,
                             .voxels = chunk_voxels(voxels, first)};
    return pass->kernels->confusion(&chunk, table);
}

// A table holds up to 2^32 - 1 of each.
enum { CHUNKS_PER_TABLE = (1 << 30) / METRIC_CHUNK };

static void confusion_of_thread(void *context, int thread, int threads) {
    confusion_pass *p = context;
    const closs_shape *shape = &p->pass.shape;
    const int64_t chunks = chunks_of(shape->voxels), all = shape->samples * chunks;
    const int64_t cells = shape->classes * shape->classes * confusion_copies(shape->classes);
    const int64_t begin = all * thread / threads, end = all * (thread + 1) / threads;
    uint32_t *table = p->tables + thread * cells;
    memset(table, 0, (size_t)cells * sizeof *table);
    int64_t counted = 0;
    for (int64_t i = begin; i < end && !is_stopped(&p->pass); i++) {
        int64_t sample = i / chunks;
        if (count_chunk(p, sample, i % chunks * METRIC_CHUNK, table) != FAULT_NONE) {
            note_fault(&p->pass);
            return;
        }
        int is_last = i + 1 == end || (i + 1) % chunks == 0;
        if (!is_last && ++counted < CHUNKS_PER_TABLE) continue;
        flush_table(p, table, sample);
        counted = 0;
    }
}

int run_confusion(confusion_pass *p) {
    const closs_shape *shape = &p->pass.shape;
    memset(p->totals, 0, (size_t)(shape->samples * shape->classes * shape->classes) * sizeof *p->totals);
    run_parallel(p->pass.threads, confusion_of_thread, p);
    return p->pass.found;
}

// -------------------------------------------------------------------------------------------------- thresholds ----

static void clear_threshold_sums(const threshold_pass *p, threshold_sums *sums) {
    sums->valid = sums->positives = 0;
    memset(sums->predicted, 0, (size_t)p->count * sizeof *sums->predicted);
    memset(sums->hits, 0, (size_t)p->count * sizeof *sums->hits);
}

static void flush_thresholds(const threshold_pass *p, threshold_sums *sums, int64_t row) {
    closs_counts *totals = p->totals + row * p->count;
    for (int k = 0; k < p->count; k++) {
        int64_t predicted = sums->predicted[k], hits = sums->hits[k];
        add_count(&totals[k].true_positives, hits);
        add_count(&totals[k].false_positives, predicted - hits);
        add_count(&totals[k].false_negatives, sums->positives - hits);
        add_count(&totals[k].true_negatives, sums->valid - sums->positives - (predicted - hits));
    }
    clear_threshold_sums(p, sums);
}

static fault compare_chunk(const threshold_pass *p, int64_t row, int64_t first, threshold_sums *sums) {
    const metric_pass *pass = &p->pass;
    const closs_metric_batch *b = pass->batch;
    const closs_shape *shape = &pass->shape;
    const int64_t sample = row / shape->classes, channel = row % shape->classes;
    const size_t at = (size_t)(row * shape->voxels + first);
    const int is_probability = p->activation == CLOSS_PROBABILITIES;
    threshold_chunk chunk = {
        .targets = metric_labels_at(pass, sample, channel, first, channel_labels(b->target, shape->classes)),
        .positive = channel_positive(b->target, shape->classes, channel),
        .type = b->predictions_type,
        .values = (const char *)b->predictions + at * float_bytes(b->predictions_type),
        .voxels = chunk_voxels(shape->voxels, first),
        .largest = is_probability ? 0x3f800000 : 0x7f7fffff,
        .keep_sign = is_probability,
        .thresholds = p->thresholds,
        .count = p->count};
    return pass->kernels->thresholds(&chunk, sums);
}

static void thresholds_of_thread(void *context, int thread, int threads) {
    threshold_pass *p = context;
    const closs_shape *shape = &p->pass.shape;
    const int64_t chunks = chunks_of(shape->voxels), all = shape->samples * shape->classes * chunks;
    const int64_t begin = all * thread / threads, end = all * (thread + 1) / threads;
    threshold_sums *sums = p->sums + thread;
    clear_threshold_sums(p, sums);
    for (int64_t i = begin; i < end && !is_stopped(&p->pass); i++) {
        if (compare_chunk(p, i / chunks, i % chunks * METRIC_CHUNK, sums) != FAULT_NONE) {
            note_fault(&p->pass);
            return;
        }
        if (i + 1 == end || (i + 1) % chunks == 0) flush_thresholds(p, sums, i / chunks);
    }
}

int run_thresholds(threshold_pass *p) {
    const closs_shape *shape = &p->pass.shape;
    memset(p->totals, 0, (size_t)(shape->samples * shape->classes * p->count) * sizeof *p->totals);
    run_parallel(p->pass.threads, thresholds_of_thread, p);
    return p->pass.found;
}
