#include "driver/weights_passes.h"

#include <string.h>

#include "driver/parallel.h"
#include "kernels/formula.h"
#include "sums/wide.h"

// ------------------------------------------------------------------------------------------------ box averages ----

static void box_of_sample(const box_maps *maps, int thread, int64_t sample, int64_t first, int64_t end) {
    const box_job *job = maps->job;
    const int64_t rows = box_all_rows(job), voxels = rows * job->extents[WEIGHTS_COLUMNS];
    const char *labels = maps->labels + (size_t)(sample * voxels) * target_bytes(job->target);
    box_sums sums = {0};
    maps->kernels->box(job, labels, first, end, maps->rooms + (size_t)thread * box_room_bytes(job),
                       maps->values ? &maps->values[sample] : 0, box_map_from(job, maps->map, sample * rows),
                       maps->sums ? &sums : 0);
    if (!maps->sums) return;
    int64_t *words = maps->sums + sample * BOX_SUM_WORDS;
    wide_add_shared(words, sums.exponentials);
    word_add_shared(words + WIDE_WORDS, sums.border);
}

static void scale_of_sample(const box_maps *maps, int thread, int64_t sample, int64_t first, int64_t end) {
    (void)thread;
    const box_job *job = maps->job;
    const int64_t rows = box_all_rows(job), rows_of_line = rows / box_lines(job);
    maps->kernels->box_scale(job, (end - first) * rows_of_line, &maps->values[sample],
                             box_map_from(job, maps->map, sample * rows + first * rows_of_line));
}

// A thread's share of the lines of all samples, sample by sample.
static void share_of_thread(const box_maps *maps, int thread, int threads,
                            void (*of_sample)(const box_maps *, int, int64_t, int64_t, int64_t)) {
    const int64_t lines = box_lines(maps->job), all = maps->samples * lines;
    const int64_t end = all * (thread + 1) / threads;
    for (int64_t first = all * thread / threads; first < end;) {
        int64_t sample = first / lines, next = (sample + 1) * lines < end ? (sample + 1) * lines : end;
        of_sample(maps, thread, sample, first - sample * lines, next - sample * lines);
        first = next;
    }
    // Streaming stores are ordered with nothing; whoever is told that the map is there must see it.
    if (maps->values) __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void box_of_thread(void *context, int thread, int threads) {
    share_of_thread(context, thread, threads, box_of_sample);
}

static void scale_of_thread(void *context, int thread, int threads) {
    share_of_thread(context, thread, threads, scale_of_sample);
}

void box_weights_pass(const box_maps *maps) { run_parallel(maps->threads, box_of_thread, (void *)maps); }

void box_scale_pass(const box_maps *maps) { run_parallel(maps->threads, scale_of_thread, (void *)maps); }

// ------------------------------------------------------------------------------------------------------- cells ----

typedef struct cells_pass {
    const cells_map *map;
    int64_t counts[2];         // of the background, of cells
    int64_t least, minus_most; // of the labels of cells
    float background, cell;
} cells_pass;

static void keep_smaller(int64_t *shared, int64_t value) {
    int64_t known = __atomic_load_n(shared, __ATOMIC_RELAXED);
    while (value < known &&
           !__atomic_compare_exchange_n(shared, &known, value, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

static void cells_rows_of_thread(void *context, int thread, int threads) {
    cells_pass *pass = context;
    const cells_map *map = pass->map;
    const cells_job *job = map->job;
    const int64_t all = job->distance.planes * job->distance.rows, columns = job->distance.columns;
    cells_counts counts = {.least = INT32_MAX, .most = INT32_MIN};
    for (int64_t row = all * thread / threads; row < all * (thread + 1) / threads; row++) {
        cells_near near = map->near;
        for (int k = 0; k < 2; k++) {
            near.steps[k] += row * columns;
            near.cells[k] += row * columns;
        }
        map->kernels->cells_row(job, map->labels + (size_t)(row * columns) * target_bytes(job->target), &near, &counts);
    }
    word_add_shared(&pass->counts[0], counts.background);
    word_add_shared(&pass->counts[1], counts.cells);
    keep_smaller(&pass->least, counts.least);
    keep_smaller(&pass->minus_most, -(int64_t)counts.most);
}

static void cells_blocks_of_thread(void *context, int thread, int threads) {
    const cells_map *map = ((cells_pass *)context)->map;
    const int64_t lanes = distance_lanes(&map->job->distance), blocks = cells_blocks(map->job);
    for (int64_t i = blocks * thread / threads; i < blocks * (thread + 1) / threads; i++)
        map->kernels->cells_block(map->job, &map->near, i * lanes, map->map,
                                  map->blocks + (size_t)thread * cells_block_bytes(map->job));
}

// Otherwise all voxels are infinitely far from the second.
static int are_two(const cells_pass *pass) { return pass->least < -pass->minus_most; }

static void cells_weights_of_thread(void *context, int thread, int threads) {
    const cells_pass *pass = context;
    const cells_map *map = pass->map;
    const distance_job *d = &map->job->distance;
    const int64_t all = d->planes * d->rows, first = all * thread / threads, end = all * (thread + 1) / threads;
    map->kernels->cells_weights(map->job, map->labels + (size_t)(first * d->columns) * target_bytes(map->job->target),
                                (end - first) * d->columns, pass->background, pass->cell, are_two(pass),
                                map->map + first * d->columns);
}

// Arithmetic 14.5: a class's weight; it has no voxel where it is divided by 0.
static float balanced_weight(double weight, int64_t all, int64_t count) {
    return count ? (float)(weight * ((double)all / (2 * (double)count))) : 0;
}

void cells_weights_pass(const cells_map *map) {
    cells_pass pass = {.map = map, .least = INT64_MAX, .minus_most = INT64_MAX};
    run_parallel(map->threads, cells_rows_of_thread, &pass);
    if (are_two(&pass)) run_parallel(map->rooms, cells_blocks_of_thread, &pass);
    pass.background = (float)map->background_weight;
    pass.cell = (float)map->cell_weight;
    if (map->balanced) {
        int64_t all = pass.counts[0] + pass.counts[1];
        pass.background = balanced_weight(map->background_weight, all, pass.counts[0]);
        pass.cell = balanced_weight(map->cell_weight, all, pass.counts[1]);
    }
    run_parallel(map->threads, cells_weights_of_thread, &pass);
}

// ----------------------------------------------------------------------------------------------------- classes ----

typedef struct class_pass {
    const class_labels *l;
    const weight_kernels *kernels;
    const char *labels;
    int64_t voxels;
    int64_t *counts;
    int64_t first_bad; // `voxels` where there is none
    const float *weights;
    float *map;
} class_pass;

static void counts_of_thread(void *context, int thread, int threads) {
    class_pass *pass = context;
    int64_t counts[CLOSS_MAX_CLASSES] = {0};
    const int64_t first = pass->voxels * thread / threads, end = pass->voxels * (thread + 1) / threads;
    int64_t bad = pass->kernels->class_counts(pass->l, pass->labels + (size_t)first * target_bytes(pass->l->target),
                                              end - first, counts);
    if (bad >= 0) keep_smaller(&pass->first_bad, first + bad);
    for (int c = 0; c < pass->l->class_count; c++) word_add_shared(&pass->counts[c], counts[c]);
}

int64_t class_counts_pass(const class_labels *l, const weight_kernels *kernels, int threads, const char *labels,
                          int64_t voxels, int64_t *counts) {
    class_pass pass = {
        .l = l, .kernels = kernels, .labels = labels, .voxels = voxels, .counts = counts, .first_bad = voxels};
    run_parallel(threads, counts_of_thread, &pass);
    return pass.first_bad == voxels ? -1 : pass.first_bad;
}

static void map_of_thread(void *context, int thread, int threads) {
    const class_pass *pass = context;
    const int64_t first = pass->voxels * thread / threads, end = pass->voxels * (thread + 1) / threads;
    pass->kernels->class_map(pass->l, pass->labels + (size_t)first * target_bytes(pass->l->target), end - first,
                             pass->weights, pass->map + first);
}

void class_map_pass(const class_labels *l, const weight_kernels *kernels, int threads, const char *labels,
                    int64_t voxels, const float *weights, float *map) {
    class_pass pass = {.l = l, .kernels = kernels, .labels = labels, .voxels = voxels, .weights = weights, .map = map};
    run_parallel(threads, map_of_thread, &pass);
}
