#include "driver/lovasz_passes.h"

#include <string.h>

#include "driver/parallel.h"
#include "kernels/rooms.h"
#include "terms/lovasz.h"

// Problems are sorted side by side, one thread each, where there are as many of them as threads, or where they are so
// small that threads would wait for each other more than they work. Others are sorted one after another, by all
// threads: that is slower, as each thread then reads what another has just written.
static const int64_t SMALL_PROBLEM = 1 << 16;

// Problems whose classes take part.
static int64_t sorted_problems(const closs_plan *plan) {
    const lovasz_layout l = lovasz_layout_of(plan);
    int64_t problems = 0;
    for (int64_t i = 0; i < l.problems; i++) problems += lovasz_counts(plan, i, 1);
    return l.groups * problems;
}

static int side_by_side(const closs_plan *plan) {
    return sorted_problems(plan) >= plan->threads || lovasz_layout_of(plan).values <= SMALL_PROBLEM;
}

// ----------------------------------------------------------------------------------------------------- memory ----

// How many problems are sorted at a time, at most.
static int64_t rooms(const closs_plan *plan) {
    if (!side_by_side(plan)) return 1;
    const int64_t problems = sorted_problems(plan);
    const int threads = threads_for(plan->threads, problems * lovasz_layout_of(plan).values);
    return threads < problems ? threads : problems;
}

// How many chunks there are at a time: of one problem, or one of each.
static int64_t chunks(const closs_plan *plan) {
    return side_by_side(plan) ? rooms(plan) : threads_for(plan->threads, lovasz_layout_of(plan).values);
}

static size_t values_bytes(const closs_plan *plan) {
    return room_bytes((size_t)(plan->shape.samples * plan->shape.classes * lovasz_layout_of(plan).row) * sizeof(float));
}

static size_t records_bytes(const closs_plan *plan) {
    return room_bytes((size_t)(rooms(plan) * 2 * lovasz_layout_of(plan).values) * sizeof(lovasz_record));
}

size_t lovasz_memory_bytes(const closs_plan *plan) {
    if (!plan->lovasz) return 0;
    return values_bytes(plan) + records_bytes(plan) + room_bytes((size_t)chunks(plan) * sizeof(lovasz_chunk));
}

lovasz_memory lovasz_memory_in(const closs_plan *plan, void *memory) {
    if (!plan->lovasz) return (lovasz_memory){0};
    char *at = memory;
    return (lovasz_memory){(float *)at, (lovasz_record *)(at + values_bytes(plan)),
                           (lovasz_chunk *)(at + values_bytes(plan) + records_bytes(plan))};
}

// ----------------------------------------------------------------------------------------------------- errors ----

typedef struct errors_context {
    const part *part;
    lovasz_layout layout;
    float *values;
} errors_context;

static fault errors_run(void *context, int thread, int64_t row, int64_t first, int64_t voxels) {
    (void)thread;
    const errors_context *c = context;
    const closs_plan *plan = c->part->plan;
    run at = part_run(c->part, row, first, voxels, 0, STORE_PLAIN);
    float *into =
        c->values + row_sample(c->part, row) * c->layout.sample + row_channel(c->part, row) * c->layout.class + first;
    return plan->kernels->lovasz->errors(&plan->formula, &at, into, c->layout.class);
}

static sweep_fault find_errors(const part *p, float *values) {
    errors_context context = {p, lovasz_layout_of(p->plan), values};
    sweep s = {.rows = part_rows(p),
               .voxels = p->voxels,
               .threads = threads_for(p->plan->threads, p->samples * p->plan->shape.classes * p->voxels),
               .sees = SEES_TARGETS | SEES_WEIGHTS | SEES_INPUT,
               .body = errors_run,
               .context = &context};
    return run_sweep(&s);
}

// ------------------------------------------------------------------------------------------------------- sort ----

// A problem while it is sorted, cut into chunks that threads take one by one.
typedef struct sorting {
    const lovasz_kernels *kernels;
    float *values;
    int64_t count;       // of values
    lovasz_record *from; // records in the order so far; NULL: none yet, the values are
    lovasz_record *to, *spare;
    int64_t items, foreground;
    int digit;
    int slopes;
    double inverse_scale;
    int chunk_count;
    lovasz_chunk *chunks;
} sorting;

typedef void sorting_step(sorting *, int chunk);

typedef struct step_context {
    sorting *sorting;
    sorting_step *step;
} step_context;

static void step_of_thread(void *context, int thread, int threads) {
    const step_context *c = context;
    for (int chunk = thread; chunk < c->sorting->chunk_count; chunk += threads) c->step(c->sorting, chunk);
}

static void take_step(sorting *s, sorting_step *step) {
    step_context context = {s, step};
    run_parallel(s->chunk_count, step_of_thread, &context);
}

static int64_t chunk_first(const sorting *s, int64_t count, int chunk) { return count * chunk / s->chunk_count; }

// What a chunk has of the records, or of the values where there are none yet.
static int64_t chunk_of(const sorting *s, int chunk, int64_t *count) {
    int64_t all = s->from ? s->items : s->count, first = chunk_first(s, all, chunk);
    *count = chunk_first(s, all, chunk + 1) - first;
    return first;
}

static void count_step(sorting *s, int chunk) {
    int64_t count, first = chunk_of(s, chunk, &count);
    s->kernels->count(s->values + first, count, &s->chunks[chunk]);
}

static void recount_step(sorting *s, int chunk) {
    int64_t count, first = chunk_of(s, chunk, &count);
    s->kernels->recount(s->from + first, count, s->digit, s->chunks[chunk].bins[s->digit]);
}

static void move_step(sorting *s, int chunk) {
    int64_t count, first = chunk_of(s, chunk, &count);
    uint32_t *places = s->chunks[chunk].bins[s->digit];
    if (s->from)
        s->kernels->move(s->from + first, count, s->digit, places, s->to);
    else
        s->kernels->start(s->values + first, first, count, s->digit, places, s->to);
}

static void foreground_step(sorting *s, int chunk) {
    int64_t count, first = chunk_of(s, chunk, &count);
    s->chunks[chunk].foreground = s->kernels->foreground(s->from + first, count);
}

static void scan_step(sorting *s, int chunk) {
    int64_t count, first = chunk_of(s, chunk, &count), before = 0;
    for (int i = 0; i < chunk; i++) before += s->chunks[i].foreground;
    s->chunks[chunk].loss = s->kernels->scan(&(lovasz_stretch){s->from + first, count, first, s->foreground, before,
                                                               s->inverse_scale, s->slopes ? s->values : 0});
}

// Whether all records have the same digit; of the counts that the values gave.
static int is_constant(const sorting *s, int digit) {
    for (int bin = 0; bin < LOVASZ_BINS; bin++) {
        int64_t records = 0;
        for (int c = 0; c < s->chunk_count; c++) records += s->chunks[c].bins[digit][bin];
        if (records) return records == s->items;
    }
    return 1;
}

// From counts to places: larger digits first, in a digit the chunks in order.
static void place_bins(sorting *s, int digit) {
    uint32_t place = 0;
    for (int bin = LOVASZ_BINS - 1; bin >= 0; bin--)
        for (int c = 0; c < s->chunk_count; c++) {
            uint32_t records = s->chunks[c].bins[digit][bin];
            s->chunks[c].bins[digit][bin] = place;
            place += records;
        }
}

static void sort_digit(sorting *s, int digit) {
    s->digit = digit;
    if (s->from && s->chunk_count > 1) take_step(s, recount_step);
    place_bins(s, digit);
    take_step(s, move_step);
    lovasz_record *sorted = s->to;
    s->to = s->from ? s->from : s->spare;
    s->from = sorted;
}

static void sort_errors(sorting *s) {
    int constant[LOVASZ_DIGITS];
    for (int digit = 0; digit < LOVASZ_DIGITS; digit++) constant[digit] = is_constant(s, digit);
    for (int digit = 0; digit < LOVASZ_DIGITS; digit++)
        if (!constant[digit]) sort_digit(s, digit);
    if (!s->from) sort_digit(s, 0); // all errors are equal: the values' own order
}

// --------------------------------------------------------------------------------------------------- problems ----

// 1 / s of the largest error's exponent.
static double inverse_scale(int64_t exponent) {
    uint64_t bits = (uint64_t)(126 - exponent + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int64_t exponent_of(float error) {
    uint32_t bits;
    memcpy(&bits, &error, sizeof bits);
    return bits >> 23;
}

// Without foreground the loss is the largest error, the first of those.
static void take_largest(sorting *s, int64_t *words) {
    int64_t at = 0;
    for (int64_t i = 1; i < s->count; i++)
        if (s->values[i] > s->values[at]) at = i;
    const float error = s->values[at];
    words[LOVASZ_EXPONENT] = exponent_of(error);
    words[LOVASZ_QUANTA] = (int64_t)(error * inverse_scale(words[LOVASZ_EXPONENT]) * 0x1p48);
    if (!s->slopes) return;
    memset(s->values, 0, (size_t)s->count * sizeof *s->values);
    if (error > 0) s->values[at] = 1;
}

static void rank(sorting *s, int64_t *words) {
    sort_errors(s);
    words[LOVASZ_EXPONENT] = (int64_t)(s->from[0] >> (32 + 23));
    s->inverse_scale = inverse_scale(words[LOVASZ_EXPONENT]);
    if (s->chunk_count > 1) take_step(s, foreground_step);
    take_step(s, scan_step);
    for (int c = 0; c < s->chunk_count; c++) {
        words[LOVASZ_QUANTA] += s->chunks[c].loss.quanta;
        words[LOVASZ_REST] += s->chunks[c].loss.rest;
    }
}

static void solve(const closs_plan *plan, int64_t problem, sorting *s, int64_t *words) {
    memset(words, 0, LOVASZ_WORDS * sizeof *words);
    take_step(s, count_step);
    for (int c = 0; c < s->chunk_count; c++) {
        s->items += s->chunks[c].items;
        s->foreground += s->chunks[c].foreground;
    }
    words[LOVASZ_FOREGROUND] = s->foreground;
    if (!lovasz_counts(plan, problem, s->foreground) || s->items == 0) return;
    if (s->foreground == 0)
        take_largest(s, words);
    else
        rank(s, words);
}

typedef struct problems_context {
    const part *part;
    const lovasz_memory *memory;
    int64_t *totals;
    int slopes;
    int64_t next; // problem that no thread has taken
} problems_context;

static int64_t problems_of(const part *p, const lovasz_layout *l) {
    return (l->groups == 1 ? 1 : p->samples) * l->problems;
}

static void solve_problem(const problems_context *c, int64_t i, int room, int chunk_count) {
    const closs_plan *plan = c->part->plan;
    const lovasz_layout l = lovasz_layout_of(plan);
    int64_t group = i / l.problems, problem = i % l.problems, unwanted[LOVASZ_WORDS];
    lovasz_record *records = c->memory->records + room * 2 * l.values;
    sorting s = {.kernels = plan->kernels->lovasz,
                 .values = c->memory->values + i * l.values,
                 .count = l.values,
                 .to = records,
                 .spare = records + l.values,
                 .slopes = c->slopes,
                 .chunk_count = chunk_count,
                 .chunks = c->memory->chunks + room};
    int64_t first = l.groups == 1 ? 0 : c->part->first_sample;
    solve(plan, problem, &s, c->totals ? lovasz_words(plan, c->totals, first + group, problem) : unwanted);
}

static void problems_of_thread(void *context, int thread, int threads) {
    (void)threads;
    problems_context *c = context;
    const lovasz_layout l = lovasz_layout_of(c->part->plan);
    int64_t problems = problems_of(c->part, &l);
    for (;;) {
        int64_t i = __atomic_fetch_add(&c->next, 1, __ATOMIC_RELAXED);
        if (i >= problems) return;
        solve_problem(c, i, thread, 1);
    }
}

sweep_fault lovasz_pass(const part *p, int slopes, int64_t *totals, const lovasz_memory *memory) {
    const closs_plan *plan = p->plan;
    const lovasz_layout l = lovasz_layout_of(plan);
    sweep_fault found = find_errors(p, memory->values);
    if (found.found) return found;
    problems_context context = {p, memory, totals, slopes, 0};
    int64_t problems = problems_of(p, &l);
    if (side_by_side(plan)) {
        int threads = threads_for(plan->threads, problems * l.values);
        run_parallel(threads < rooms(plan) ? threads : (int)rooms(plan), problems_of_thread, &context);
    } else {
        for (int64_t i = 0; i < problems; i++) solve_problem(&context, i, 0, (int)chunks(plan));
    }
    return found;
}
