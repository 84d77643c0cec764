#include "driver/distance_terms.h"

#include <string.h>

#include "driver/distance_passes.h"
#include "driver/parallel.h"
#include "driver/sweep.h"

// ------------------------------------------------------------------------------------------------------ memory ----

static size_t aligned_bytes(size_t bytes) {
    return (bytes + DISTANCE_ALIGNMENT - 1) / DISTANCE_ALIGNMENT * DISTANCE_ALIGNMENT;
}

static size_t sample_values(const closs_plan *plan) { return (size_t)(plan->shape.classes * plan->shape.voxels); }

// The maps of one term. Past their end a block may be read.
static size_t sort_floats(const closs_plan *plan) {
    return (size_t)plan->shape.samples * sample_values(plan) + BLOCK_VOXELS;
}

static int has_hausdorff(const closs_plan *plan) {
    for (int k = 0; k < plan->distance_count; k++)
        if (plan->distances[k].kind == CLOSS_HAUSDORFF) return 1;
    return 0;
}

// A thread's row of region flags, and its block.
static size_t row_bytes(const closs_plan *plan) { return aligned_bytes((size_t)plan->distances[0].job.columns); }

static size_t block_bytes(const closs_plan *plan) {
    size_t most = 0;
    for (int k = 0; k < plan->distance_count; k++) {
        size_t bytes = distance_block_bytes(&plan->distances[k].job);
        if (bytes > most) most = bytes;
    }
    return most;
}

static size_t squares_bytes(const closs_plan *plan) {
    size_t most = 0;
    for (int k = 0; k < plan->distance_count; k++) {
        size_t bytes = distance_squares_bytes(&plan->distances[k].job);
        if (bytes > most) most = bytes;
    }
    return most;
}

typedef struct rooms {
    float *maps;    // [terms][samples][classes][voxels]
    char *squares;  // of the term that is worked on
    char *blocks;   // [threads]
    uint8_t *rows;  // [threads]
    int32_t *steps; // [classes][voxels] of one sample's predictions
    uint8_t *masks; // likewise
} rooms;

// What lies where; NULL for the memory tells how much there is.
static size_t lay_out(const closs_plan *plan, char *memory, rooms *r) {
    char *at = memory;
    size_t threads = (size_t)plan->threads, predictions = has_hausdorff(plan) ? sample_values(plan) : 0;
    const size_t sizes[] = {(size_t)plan->distance_count * sort_floats(plan) * sizeof(float),
                            squares_bytes(plan),
                            threads * block_bytes(plan),
                            threads * row_bytes(plan),
                            predictions * sizeof(int32_t),
                            predictions};
    size_t offsets[sizeof sizes / sizeof *sizes], all = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        offsets[i] = all;
        all += aligned_bytes(sizes[i]);
    }
    if (memory)
        *r = (rooms){(float *)at,
                     at + offsets[1],
                     at + offsets[2],
                     (uint8_t *)at + offsets[3],
                     (int32_t *)(at + offsets[4]),
                     (uint8_t *)at + offsets[5]};
    return all;
}

size_t distance_terms_bytes(const closs_plan *plan) {
    return plan->distance_count ? DISTANCE_ALIGNMENT + lay_out(plan, 0, 0) : 0;
}

// ----------------------------------------------------------------------------------------------------- regions ----

typedef enum test { EQUALS, DIFFERS, IS_ABOVE_HALF } test;

#define KEEP_WHERE(type, condition)                                                                                    \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        type x;                                                                                                        \
        memcpy(&x, from + i * step, sizeof x);                                                                         \
        flags[i] &= (condition);                                                                                       \
    }                                                                                                                  \
    break

#define KEEP_EQUAL(type)                                                                                               \
    if (kind == EQUALS) {                                                                                              \
        KEEP_WHERE(type, (int64_t)x == value);                                                                         \
    }                                                                                                                  \
    KEEP_WHERE(type, (int64_t)x != value)

static void keep_stretch(uint8_t *flags, int64_t n, closs_target type, const char *from, int64_t step, test kind,
                         int64_t value) {
    switch (type) {
    case CLOSS_DENSE_F32: KEEP_WHERE(float, x > 0.5f);
    case CLOSS_LABELS_U16: KEEP_EQUAL(uint16_t);
    case CLOSS_LABELS_I32: KEEP_EQUAL(int32_t);
    case CLOSS_LABELS_I64: KEEP_EQUAL(int64_t);
    default: KEEP_EQUAL(uint8_t);
    }
}

// Voxels `first` and on of a sample: flags stay where the buffer's elements pass the test.
static void keep_where(const part *p, const buffer_layout *b, const void *buffer, closs_target type, int64_t sample,
                       int64_t channel, int64_t first, int64_t n, test kind, int64_t value, uint8_t *flags) {
    for (int64_t done = 0, here; done < n; done += here) {
        int64_t offset;
        here = layout_stretch(&p->layout, b, p->batch->first_voxel + first + done, n - done, &offset);
        const char *from =
            (const char *)buffer + (sample * b->sample + channel * b->channel + offset) * (int64_t)b->bytes;
        keep_stretch(flags + done, here, type, from, b->column * (int64_t)b->bytes, kind, value);
    }
}

// What a row of a class is asked for.
typedef struct row_place {
    int64_t sample, channel, first, voxels;
} row_place;

static int64_t target_channel(const part *p, int64_t channel) {
    return target_is_dense(p->batch->target) ? channel : 0;
}

static int may_be_ignored(const part *p) {
    return p->plan->formula.has_ignore_index && p->batch->target != CLOSS_DENSE_F32;
}

// Which of a row's voxels count.
static void keep_valid(const part *p, const row_place *at, uint8_t *flags) {
    const closs_batch *b = p->batch;
    if (b->mask)
        keep_where(p, &p->layout.mask, b->mask, CLOSS_LABELS_U8, at->sample, 0, at->first, at->voxels, DIFFERS, 0,
                   flags);
    if (may_be_ignored(p))
        keep_where(p, &p->layout.targets, b->targets, b->target, at->sample, target_channel(p, at->channel), at->first,
                   at->voxels, DIFFERS, p->plan->formula.ignore_index, flags);
}

// Labels or bytes that lie as a row's kernel reads them, where nothing else has a say; else NULL.
static const void *plain_row(const part *p, const row_place *at, int64_t positive) {
    const buffer_layout *b = &p->layout.targets;
    int excluded = may_be_ignored(p) && p->plan->formula.ignore_index == positive;
    if (p->batch->mask || p->batch->target == CLOSS_DENSE_F32 || !b->linear || b->column != 1 || excluded) return 0;
    int64_t place = part_place(p, b, at->sample, target_channel(p, at->channel), at->first);
    const char *row = (const char *)p->batch->targets + place * (int64_t)b->bytes;
    return (uintptr_t)row % b->bytes ? 0 : row;
}

// ------------------------------------------------------------------------------------------------------ passes ----

typedef struct measure {
    const part *p;
    const distance_term *term;
    const rooms *room;
    distance_job job;
    int channels[CLOSS_MAX_CLASSES], channel_count; // those that take part
    int64_t sample;                                 // of the part
    int predicted;                                  // the regions are the predicted ones
    float *map;                                     // of the sample
} measure;

// Where a channel's steps and then its distances go.
static float *place_of(const measure *m, int channel) {
    float *base = m->predicted ? (float *)m->room->steps : m->map;
    return base + channel * m->p->plan->shape.voxels;
}

static void measure_row(const measure *m, const row_place *at, uint8_t *flags) {
    const part *p = m->p;
    const closs_target target = p->batch->target;
    int32_t *steps = (int32_t *)place_of(m, (int)at->channel) + at->first;
    const int64_t positive = channel_positive(target, p->plan->shape.classes, at->channel);
    if (m->predicted) {
        const uint8_t *mask = m->room->masks + at->channel * p->plan->shape.voxels + at->first;
        if (p->batch->mask || may_be_ignored(p)) {
            memcpy(flags, mask, (size_t)at->voxels);
            keep_valid(p, at, flags);
            mask = flags;
        }
        m->term->kernels->row(&m->job, CLOSS_LABELS_U8, mask, 1, steps);
        return;
    }
    const void *plain = plain_row(p, at, positive);
    if (plain) {
        closs_target type = target == CLOSS_DENSE_U8 ? CLOSS_LABELS_U8 : target;
        m->term->kernels->row(&m->job, type, plain, positive, steps);
        return;
    }
    memset(flags, 1, (size_t)at->voxels);
    keep_where(p, &p->layout.targets, p->batch->targets, target, at->sample, target_channel(p, at->channel), at->first,
               at->voxels, target == CLOSS_DENSE_F32 ? IS_ABOVE_HALF : EQUALS, positive, flags);
    keep_valid(p, at, flags);
    m->term->kernels->row(&m->job, CLOSS_LABELS_U8, flags, 1, steps);
}

static void rows_of_thread(void *context, int thread, int threads) {
    const measure *m = context;
    const int64_t columns = m->job.columns, rows = m->job.planes * m->job.rows, all = m->channel_count * rows;
    uint8_t *flags = m->room->rows + (size_t)thread * row_bytes(m->p->plan);
    for (int64_t i = all * thread / threads; i < all * (thread + 1) / threads; i++) {
        row_place at = {m->sample, m->channels[i / rows], i % rows * columns, columns};
        measure_row(m, &at, flags);
    }
}

static void blocks_of_thread(void *context, int thread, int threads) {
    const measure *m = context;
    const int64_t lanes = distance_lanes(&m->job), blocks = (m->job.columns + lanes - 1) / lanes;
    const int64_t all = m->channel_count * blocks;
    char *room = m->room->blocks + (size_t)thread * block_bytes(m->p->plan);
    for (int64_t i = all * thread / threads; i < all * (thread + 1) / threads; i++) {
        float *map = place_of(m, m->channels[i / blocks]);
        m->term->kernels->block(&m->job, (int32_t *)map, i % blocks * lanes, map, room);
    }
}

static void combine_of_thread(void *context, int thread, int threads) {
    const measure *m = context;
    const int64_t voxels = m->p->plan->shape.voxels, pieces = (voxels + RUN_VOXELS - 1) / RUN_VOXELS;
    const int64_t all = m->channel_count * pieces;
    for (int64_t i = all * thread / threads; i < all * (thread + 1) / threads; i++) {
        int64_t at = m->channels[i / pieces] * voxels, first = i % pieces * RUN_VOXELS, left = voxels - first;
        m->p->plan->kernels->hausdorff->combine(&m->term->power, (const float *)m->room->steps + at + first,
                                                m->map + at + first, left < RUN_VOXELS ? left : RUN_VOXELS);
    }
}

static fault masks_of_run(void *context, int thread, int64_t row, int64_t first, int64_t voxels) {
    (void)thread;
    const measure *m = context;
    const closs_plan *plan = m->p->plan;
    run at = part_run(m->p, row * plan_rows_per_sample(plan), first, voxels, 0, STORE_PLAIN);
    plan->kernels->hausdorff->masks(&plan->formula, &at, m->term->of->prediction, m->room->masks + first,
                                    plan->shape.voxels);
    return FAULT_NONE;
}

static void predict(measure *m, int threads) {
    sweep s = {.first_row = m->sample,
               .rows = 1,
               .voxels = m->p->voxels,
               .threads = threads,
               .body = masks_of_run,
               .context = m};
    run_sweep(&s);
}

static void measure_regions(measure *m, int predicted, int threads) {
    m->predicted = predicted;
    run_parallel(threads, rows_of_thread, m);
    run_parallel(threads, blocks_of_thread, m);
}

// ------------------------------------------------------------------------------------------------------- terms ----

static void measure_sample(measure *m, int threads) {
    const int64_t voxels = m->p->plan->shape.voxels;
    for (int64_t c = 0; c < m->p->plan->shape.classes; c++)
        if (!distance_takes_part(m->term, c)) memset(m->map + c * voxels, 0, (size_t)voxels * sizeof(float));
    measure_regions(m, 0, threads);
    if (m->term->kind != CLOSS_HAUSDORFF) return;
    predict(m, threads);
    measure_regions(m, 1, threads);
    run_parallel(threads, combine_of_thread, m);
}

static void measure_term(const part *p, const rooms *room, const distance_term *term, float *maps) {
    const closs_plan *plan = p->plan;
    measure m = {.p = p, .term = term, .room = room, .job = term->job};
    distance_fill_squares(&m.job, room->squares);
    for (int c = 0; c < plan->shape.classes; c++)
        if (distance_takes_part(term, c)) m.channels[m.channel_count++] = c;
    int threads = threads_for(plan->threads, m.channel_count * plan->shape.voxels);
    for (m.sample = 0; m.sample < p->samples; m.sample++) {
        m.map = maps + (size_t)m.sample * sample_values(plan);
        measure_sample(&m, threads);
    }
    memset(maps + (size_t)p->samples * sample_values(plan), 0, BLOCK_VOXELS * sizeof(float));
}

void distance_terms_pass(part *p, void *memory) {
    if (!p->plan->distance_count) return;
    rooms room;
    lay_out(p->plan, distance_aligned(memory), &room);
    for (int k = 0; k < p->plan->distance_count; k++)
        measure_term(p, &room, &p->plan->distances[k], room.maps + (size_t)k * sort_floats(p->plan));
    p->distance_maps = room.maps;
    p->distance_sort = (int64_t)sort_floats(p->plan);
}
