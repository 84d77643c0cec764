#include "driver/distance_terms.h"

#include <string.h>

#include "driver/distance_passes.h"
#include "driver/parallel.h"
#include "driver/sweep.h"
#include "kernels/rooms.h"

// ------------------------------------------------------------------------------------------------------ memory ----

static size_t sample_values(const closs_plan *plan) { return (size_t)(plan->shape.classes * plan->shape.voxels); }

// The maps of one term. Past their end a block may be read.
static size_t term_floats(const closs_plan *plan) {
    return (size_t)plan->shape.samples * sample_values(plan) + BLOCK_VOXELS;
}

static int64_t channels_of(const closs_plan *plan, const distance_term *term) {
    int64_t count = 0;
    for (int64_t c = 0; c < plan->shape.classes; c++) count += distance_takes_part(term, c);
    return count;
}

static int threads_of_samples(const closs_plan *plan, const distance_term *term, int64_t samples) {
    return threads_for(plan->threads, samples * channels_of(plan, term) * plan->shape.voxels);
}

// How many samples are measured side by side: a boundary loss's maps need no other room than their own. Predictions do,
// so there are no more of them than threads are worth having for.
static int64_t samples_together(const closs_plan *plan, const distance_term *term) {
    const int64_t values = channels_of(plan, term) * plan->shape.voxels;
    const int64_t busy = (int64_t)plan->threads * VALUES_PER_THREAD, wanted = busy / values + (busy % values != 0);
    return term->kind != CLOSS_HAUSDORFF || wanted > plan->shape.samples ? plan->shape.samples : wanted;
}

// How the work on so many samples of a term is dealt.
typedef struct shares {
    int threads;      // at most
    int rows, blocks; // threads that work on these, each with a room
} shares;

static shares share_samples(const closs_plan *plan, const distance_term *term, int64_t samples) {
    const distance_job *job = &term->job;
    const int threads = threads_of_samples(plan, term, samples);
    const int64_t maps = samples * channels_of(plan, term), rows = maps * job->planes * job->rows;
    return (shares){threads, rows < threads ? (int)rows : threads, distance_rooms(job, maps, threads)};
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

// A thread's row of region flags.
static size_t row_bytes(const distance_job *job) { return room_bytes((size_t)job->columns); }

typedef struct rooms {
    float *maps;    // [terms][samples][classes][voxels]
    char *squares;  // of the term that is worked on, as what follows
    char *blocks;   // [threads]
    uint8_t *rows;  // [threads]
    int32_t *steps; // [samples together][classes][voxels] of predictions
    uint8_t *masks; // likewise
} rooms;

enum { MAPS, SQUARES, BLOCKS, ROWS, STEPS, MASKS, ROOMS };

static void size_rooms(const closs_plan *plan, size_t *sizes) {
    memset(sizes, 0, ROOMS * sizeof *sizes);
    sizes[MAPS] = (size_t)plan->distance_count * term_floats(plan) * sizeof(float);
    for (int k = 0; k < plan->distance_count; k++) {
        const distance_term *term = &plan->distances[k];
        const int64_t together = samples_together(plan, term);
        const shares s = share_samples(plan, term, together);
        const size_t predictions = term->kind == CLOSS_HAUSDORFF ? (size_t)together * sample_values(plan) : 0;
        sizes[SQUARES] = larger(sizes[SQUARES], distance_squares_bytes(&term->job));
        sizes[BLOCKS] = larger(sizes[BLOCKS], (size_t)s.blocks * distance_block_bytes(&term->job));
        sizes[ROWS] = larger(sizes[ROWS], (size_t)s.rows * row_bytes(&term->job));
        sizes[STEPS] = larger(sizes[STEPS], predictions * sizeof(int32_t));
        sizes[MASKS] = larger(sizes[MASKS], predictions);
    }
}

// What lies where; NULL for the memory tells how much there is.
static size_t lay_out(const closs_plan *plan, char *memory, rooms *r) {
    size_t sizes[ROOMS], at[ROOMS], all = 0;
    size_rooms(plan, sizes);
    for (int i = 0; i < ROOMS; i++) {
        at[i] = all;
        all += room_bytes(sizes[i]);
    }
    if (memory)
        *r = (rooms){(float *)(memory + at[MAPS]),
                     memory + at[SQUARES],
                     memory + at[BLOCKS],
                     (uint8_t *)memory + at[ROWS],
                     (int32_t *)(memory + at[STEPS]),
                     (uint8_t *)memory + at[MASKS]};
    return all;
}

size_t distance_terms_bytes(const closs_plan *plan) {
    return plan->distance_count ? ROOM_ALIGNMENT + lay_out(plan, 0, 0) : 0;
}

// ----------------------------------------------------------------------------------------------------- regions ----

typedef enum condition { IS_EQUAL, IS_OTHER, IS_ABOVE_HALF } condition;

static inline int64_t label_in(closs_target type, const char *at) {
    uint16_t u16;
    int32_t i32;
    int64_t i64;
    switch (type) {
    case CLOSS_LABELS_U16: return memcpy(&u16, at, sizeof u16), u16;
    case CLOSS_LABELS_I32: return memcpy(&i32, at, sizeof i32), i32;
    case CLOSS_LABELS_I64: return memcpy(&i64, at, sizeof i64), i64;
    default: return (uint8_t)*at;
    }
}

static inline void keep_labels(uint8_t *flags, int64_t n, closs_target type, const char *from, int64_t step,
                               condition wanted, int64_t value) {
    const int equal = wanted == IS_EQUAL;
    for (int64_t i = 0; i < n; i++) flags[i] &= (label_in(type, from + i * step) == value) == equal;
}

static void keep_above_half(uint8_t *flags, int64_t n, const char *from, int64_t step) {
    for (int64_t i = 0; i < n; i++) {
        float x;
        memcpy(&x, from + i * step, sizeof x);
        flags[i] &= x > 0.5f;
    }
}

// Each type has a loop of its own.
static void keep_stretch(uint8_t *flags, int64_t n, closs_target type, const char *from, int64_t step, condition wanted,
                         int64_t value) {
    if (wanted == IS_ABOVE_HALF) {
        keep_above_half(flags, n, from, step);
        return;
    }
    switch (type) {
    case CLOSS_LABELS_U16: keep_labels(flags, n, CLOSS_LABELS_U16, from, step, wanted, value); break;
    case CLOSS_LABELS_I32: keep_labels(flags, n, CLOSS_LABELS_I32, from, step, wanted, value); break;
    case CLOSS_LABELS_I64: keep_labels(flags, n, CLOSS_LABELS_I64, from, step, wanted, value); break;
    default: keep_labels(flags, n, CLOSS_LABELS_U8, from, step, wanted, value);
    }
}

// Voxels `first` and on of a sample: flags stay where the buffer's elements are what is wanted.
static void keep_where(const part *p, const buffer_layout *b, const void *buffer, closs_target type, int64_t sample,
                       int64_t channel, int64_t first, int64_t n, condition wanted, int64_t value, uint8_t *flags) {
    for (int64_t done = 0, here; done < n; done += here) {
        int64_t offset;
        here = layout_stretch(&p->layout, b, p->batch->first_voxel + first + done, n - done, &offset);
        const char *from =
            (const char *)buffer + (sample * b->sample + channel * b->channel + offset) * (int64_t)b->bytes;
        keep_stretch(flags + done, here, type, from, b->column * (int64_t)b->bytes, wanted, value);
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
        keep_where(p, &p->layout.mask, b->mask, CLOSS_LABELS_U8, at->sample, 0, at->first, at->voxels, IS_OTHER, 0,
                   flags);
    if (may_be_ignored(p))
        keep_where(p, &p->layout.targets, b->targets, b->target, at->sample, target_channel(p, at->channel), at->first,
                   at->voxels, IS_OTHER, p->plan->formula.ignore_index, flags);
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
    int64_t first_sample, samples;                  // of the part, that are measured side by side
    shares shares;
    int predicted; // the regions are the predicted ones
    float *maps;   // of the part
} measure;

// One of the maps that are measured side by side.
typedef struct map_place {
    int64_t sample; // of those side by side
    int channel;
} map_place;

static int64_t maps_of(const measure *m) { return m->samples * m->channel_count; }

static map_place map_at(const measure *m, int64_t i) {
    return (map_place){i / m->channel_count, m->channels[i % m->channel_count]};
}

static int64_t values_before(const measure *m, int64_t sample, int64_t channel) {
    const closs_shape *shape = &m->p->plan->shape;
    return (sample * shape->classes + channel) * shape->voxels;
}

static float *target_map(const measure *m, map_place at) {
    return m->maps + values_before(m, m->first_sample + at.sample, at.channel);
}

static float *predicted_map(const measure *m, map_place at) {
    return (float *)m->room->steps + values_before(m, at.sample, at.channel);
}

// Where a map's steps and then its distances go.
static float *place_of(const measure *m, map_place at) {
    return m->predicted ? predicted_map(m, at) : target_map(m, at);
}

static void measure_predicted_row(const measure *m, map_place map, const row_place *at, uint8_t *flags,
                                  int32_t *steps) {
    const part *p = m->p;
    const uint8_t *mask = m->room->masks + values_before(m, map.sample, map.channel) + at->first;
    if (p->batch->mask || may_be_ignored(p)) {
        memcpy(flags, mask, (size_t)at->voxels);
        keep_valid(p, at, flags);
        mask = flags;
    }
    m->term->kernels->row(&m->job, CLOSS_LABELS_U8, mask, 1, steps);
}

static void measure_target_row(const measure *m, const row_place *at, uint8_t *flags, int32_t *steps) {
    const part *p = m->p;
    const closs_target target = p->batch->target;
    const int64_t positive = channel_positive(target, p->plan->shape.classes, at->channel);
    const void *plain = plain_row(p, at, positive);
    if (plain) {
        closs_target type = target == CLOSS_DENSE_U8 ? CLOSS_LABELS_U8 : target;
        m->term->kernels->row(&m->job, type, plain, positive, steps);
        return;
    }
    memset(flags, 1, (size_t)at->voxels);
    keep_where(p, &p->layout.targets, p->batch->targets, target, at->sample, target_channel(p, at->channel), at->first,
               at->voxels, target == CLOSS_DENSE_F32 ? IS_ABOVE_HALF : IS_EQUAL, positive, flags);
    keep_valid(p, at, flags);
    m->term->kernels->row(&m->job, CLOSS_LABELS_U8, flags, 1, steps);
}

static void rows_of_thread(void *context, int thread, int threads) {
    const measure *m = context;
    const int64_t columns = m->job.columns, rows = m->job.planes * m->job.rows, all = maps_of(m) * rows;
    uint8_t *flags = m->room->rows + (size_t)thread * row_bytes(&m->job);
    for (int64_t i = all * thread / threads; i < all * (thread + 1) / threads; i++) {
        map_place map = map_at(m, i / rows);
        row_place at = {m->first_sample + map.sample, map.channel, i % rows * columns, columns};
        int32_t *steps = (int32_t *)place_of(m, map) + at.first;
        if (m->predicted)
            measure_predicted_row(m, map, &at, flags, steps);
        else
            measure_target_row(m, &at, flags, steps);
    }
}

static void blocks_of_thread(void *context, int thread, int threads) {
    const measure *m = context;
    const int64_t lanes = distance_lanes(&m->job), blocks = (m->job.columns + lanes - 1) / lanes;
    const int64_t all = maps_of(m) * blocks;
    char *room = m->room->blocks + (size_t)thread * distance_block_bytes(&m->job);
    for (int64_t i = all * thread / threads; i < all * (thread + 1) / threads; i++) {
        float *map = place_of(m, map_at(m, i / blocks));
        m->term->kernels->block(&m->job, (int32_t *)map, i % blocks * lanes, map, room);
    }
}

static void combine_of_thread(void *context, int thread, int threads) {
    const measure *m = context;
    const int64_t voxels = m->p->plan->shape.voxels, pieces = (voxels + RUN_VOXELS - 1) / RUN_VOXELS;
    const int64_t all = maps_of(m) * pieces;
    for (int64_t i = all * thread / threads; i < all * (thread + 1) / threads; i++) {
        map_place at = map_at(m, i / pieces);
        int64_t first = i % pieces * RUN_VOXELS, left = voxels - first;
        m->p->plan->kernels->hausdorff->combine(&m->term->power, predicted_map(m, at) + first,
                                                target_map(m, at) + first, left < RUN_VOXELS ? left : RUN_VOXELS);
    }
}

static fault masks_of_run(void *context, int thread, int64_t sample, int64_t first, int64_t voxels) {
    (void)thread;
    const measure *m = context;
    const closs_plan *plan = m->p->plan;
    run at = part_run(m->p, sample * plan_rows_per_sample(plan), first, voxels, 0, STORE_PLAIN);
    plan->kernels->hausdorff->masks(&plan->formula, &at, m->term->of->prediction,
                                    m->room->masks + values_before(m, sample - m->first_sample, 0) + first,
                                    plan->shape.voxels);
    return FAULT_NONE;
}

static void predict(measure *m) {
    sweep s = {.first_row = m->first_sample,
               .rows = m->samples,
               .voxels = m->p->voxels,
               .threads = m->shares.threads,
               .body = masks_of_run,
               .context = m};
    run_sweep(&s);
}

static void measure_regions(measure *m, int predicted) {
    m->predicted = predicted;
    run_parallel(m->shares.rows, rows_of_thread, m);
    run_parallel(m->shares.blocks, blocks_of_thread, m);
}

// ------------------------------------------------------------------------------------------------------- terms ----

static void measure_samples(measure *m) {
    const closs_shape *shape = &m->p->plan->shape;
    for (int64_t s = 0; s < m->samples; s++)
        for (int c = 0; c < shape->classes; c++)
            if (!distance_takes_part(m->term, c))
                memset(target_map(m, (map_place){s, c}), 0, (size_t)shape->voxels * sizeof(float));
    measure_regions(m, 0);
    if (m->term->kind != CLOSS_HAUSDORFF) return;
    predict(m);
    measure_regions(m, 1);
    run_parallel(m->shares.threads, combine_of_thread, m);
}

static void measure_term(const part *p, const rooms *room, const distance_term *term, float *maps) {
    const closs_plan *plan = p->plan;
    measure m = {.p = p, .term = term, .room = room, .job = term->job, .maps = maps};
    distance_fill_squares(&m.job, room->squares);
    for (int c = 0; c < plan->shape.classes; c++)
        if (distance_takes_part(term, c)) m.channels[m.channel_count++] = c;
    const int64_t together = samples_together(plan, term);
    for (m.first_sample = 0; m.first_sample < p->samples; m.first_sample += m.samples) {
        const int64_t left = p->samples - m.first_sample;
        m.samples = left < together ? left : together;
        m.shares = share_samples(plan, term, m.samples);
        measure_samples(&m);
    }
    memset(maps + (size_t)p->samples * sample_values(plan), 0, BLOCK_VOXELS * sizeof(float));
}

void distance_terms_pass(part *p, void *memory) {
    if (!p->plan->distance_count) return;
    rooms room;
    lay_out(p->plan, first_room(memory), &room);
    for (int k = 0; k < p->plan->distance_count; k++)
        measure_term(p, &room, &p->plan->distances[k], room.maps + (size_t)k * term_floats(p->plan));
    p->distance_maps = room.maps;
    p->distance_term_stride = (int64_t)term_floats(p->plan);
}
