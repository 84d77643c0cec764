#include "driver/passes.h"

#include <string.h>

#include "sums/wide.h"
#include "terms/pointwise.h"
#include "terms/region.h"
#include "terms/selection.h"

// Gradients larger than this go past the cache: they would only push out what is read again.
static const size_t STREAMING_BYTES = 4u << 20;

static sweep sweep_of(const part *p, sweep_body *body, void *context) {
    int64_t values = p->samples * p->plan->shape.classes * p->voxels;
    return (sweep){.rows = part_rows(p),
                   .voxels = p->voxels,
                   .threads = threads_for(p->plan->threads, values),
                   .body = body,
                   .context = context};
}

// ----------------------------------------------------------------------------------------------------- totals ----

typedef struct totals_context {
    const part *part;
    int64_t *totals;
} totals_context;

static void add_sums(const part *p, int64_t row, const run_sums *sums, int64_t *totals) {
    const closs_plan *plan = p->plan;
    int64_t sample = p->first_sample + row_sample(p, row), channel = row_channel(p, row);
    int64_t classes = plan->formula.activation == CLOSS_SOFTMAX ? plan->shape.classes : 1;
    if (plan->formula.region) region_add(plan, sample, channel, classes, p->batch->target, sums, totals);
    pointwise_add(plan, channel, p->batch->weights != 0, sums, totals);
}

static fault totals_run(void *context, int thread, int64_t row, int64_t first, int64_t voxels) {
    (void)thread;
    const totals_context *c = context;
    class_sums classes[CLOSS_MAX_CLASSES];
    run_sums sums = {.classes = classes};
    run at = part_run(c->part, row, first, voxels, 0, STORE_PLAIN);
    fault found = c->part->plan->kernels->totals(&c->part->plan->formula, &at, &sums);
    if (found == FAULT_NONE) add_sums(c->part, row, &sums, c->totals);
    return found;
}

sweep_fault totals_pass(const part *p, int64_t *totals) {
    totals_context context = {p, totals};
    sweep s = sweep_of(p, totals_run, &context);
    return run_sweep(&s);
}

// ----------------------------------------------------------------------------------------------------- survey ----

typedef struct survey_context {
    const part *part;
    int with_logits;
    int64_t *totals;
    uint32_t largest_logit, largest_weight; // bits; as integers they order like the floats
} survey_context;

static void raise_to(uint32_t *largest, uint32_t bits) {
    uint32_t known = __atomic_load_n(largest, __ATOMIC_RELAXED);
    while (bits > known && !__atomic_compare_exchange_n(largest, &known, bits, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

static fault survey_row(void *context, int thread, int64_t row, int64_t first, int64_t voxels) {
    (void)thread;
    survey_context *c = context;
    class_sums classes[CLOSS_MAX_CLASSES];
    run_sums sums = {.classes = classes};
    run_survey found;
    run at = part_run(c->part, row, first, voxels, 0, STORE_PLAIN);
    fault outcome = c->part->plan->kernels->survey(&c->part->plan->formula, &at, c->with_logits, &found, &sums);
    if (outcome != FAULT_NONE) return outcome;
    uint32_t weight_bits;
    memcpy(&weight_bits, &found.largest_weight, sizeof weight_bits);
    raise_to(&c->largest_logit, found.largest_logit_bits);
    raise_to(&c->largest_weight, weight_bits);
    if (c->totals) {
        memset(sums.loss, 0, sizeof sums.loss);
        pointwise_add(c->part->plan, row_channel(c->part, row), c->part->batch->weights != 0, &sums, c->totals);
    }
    return FAULT_NONE;
}

sweep_fault survey_pass(const part *p, int with_logits, int64_t *totals, survey_found *found) {
    survey_context context = {p, with_logits, totals, 0, 0};
    sweep s = sweep_of(p, survey_row, &context);
    sweep_fault fault = run_sweep(&s);
    memcpy(&found->largest_logit, &context.largest_logit, sizeof(float));
    memcpy(&found->largest_weight, &context.largest_weight, sizeof(float));
    return fault;
}

// -------------------------------------------------------------------------------------------------- selection ----

typedef struct selection_context {
    const part *part;
    int stage;
    selection_digit digit;
    uint32_t threshold;
    int64_t *group;
    uint32_t *histograms; // [threads][SELECTION_BINS]
} selection_context;

static fault selection_run(void *context, int thread, int64_t row, int64_t first, int64_t voxels) {
    selection_context *c = context;
    const formula *f = &c->part->plan->formula;
    const kernels *k = c->part->plan->kernels;
    uint32_t *histogram = c->histograms + (size_t)thread * SELECTION_BINS;
    run at = part_run(c->part, row, first, voxels, 0, STORE_PLAIN);
    selection_sums sums = {0};
    fault found = FAULT_NONE;
    switch (c->stage) {
    case 0:
        found = k->selection_start(f, &at, &c->digit, histogram, &sums);
        if (found != FAULT_NONE) break;
        word_add_shared(&c->group[GROUP_POSITIVES], sums.positives);
        word_add_shared(&c->group[GROUP_NEGATIVES], sums.negatives);
        wide_add_shared(&c->group[GROUP_POSITIVE_LOSS], sums.positive_loss);
        break;
    case 1: k->selection_count(f, &at, &c->digit, histogram); break;
    case 2:
        found = k->selection_above(f, &at, &c->digit, histogram, &sums);
        if (found == FAULT_NONE) wide_add_shared(&c->group[GROUP_NEGATIVE_LOSS], sums.negative_loss);
        break;
    default:
        word_add_shared(&c->group[GROUP_TIES + c->part->first_sample + row_sample(c->part, row)],
                        k->selection_ties(f, &at, c->threshold));
    }
    return found;
}

static sweep_fault selection_rows(const part *p, int stage, int64_t first_row, int64_t rows, int64_t *group,
                                  uint32_t *histograms) {
    if (!selection_needs_stage(p->plan, stage, group)) return (sweep_fault){0};
    selection_context context = {.part = p, .stage = stage, .group = group, .histograms = histograms};
    size_t words = 0;
    if (stage < SELECTION_DIGITS)
        context.digit = selection_stage_digit(p->plan, stage, group, &words);
    else
        context.threshold = selection_taken(p->plan, group).threshold;
    sweep s = sweep_of(p, selection_run, &context);
    s.first_row = first_row;
    s.rows = rows;
    s.threads = threads_for(p->plan->selection_threads, rows * p->voxels);
    memset(histograms, 0, (size_t)s.threads * SELECTION_BINS * sizeof *histograms);
    sweep_fault found = run_sweep(&s);
    if (stage < SELECTION_DIGITS)
        for (int t = 0; t < s.threads; t++)
            for (uint32_t bin = 0; bin <= context.digit.digit_mask; bin++)
                group[words + bin] += histograms[(size_t)t * SELECTION_BINS + bin];
    return found;
}

sweep_fault selection_pass(const part *p, int stage, int64_t *totals, uint32_t *histograms) {
    return selection_rows(p, stage, 0, part_rows(p), totals + p->plan->totals.selection, histograms);
}

sweep_fault selection_samples_pass(const part *p, int64_t *totals, int64_t *group, uint32_t *histograms) {
    int64_t rows = plan_rows_per_sample(p->plan);
    for (int64_t s = 0; s < p->samples; s++) {
        memset(group, 0, GROUP_WORDS * sizeof *group);
        for (int stage = 0; stage < SELECTION_DIGITS; stage++) {
            sweep_fault found = selection_rows(p, stage, s * rows, rows, group, histograms);
            if (found.found) return found;
        }
        selection_resolve(p->plan, p->first_sample + s, group, totals);
    }
    return (sweep_fault){0};
}

// ---------------------------------------------------------------------------------------------------- gradient ----

typedef struct gradient_context {
    const part *part;
    const int64_t *coefficients;
    const closs_gradient_buffer *gradient;
    gradient_store store;
    const int64_t *tie_ends; // of each sample of the part, in values from its first
    int64_t *totals;         // of the combined pass
} gradient_context;

static gradient_store store_of(const part *p, const closs_gradient_buffer *gradient) {
    if (gradient->write == CLOSS_ADD) return STORE_ADD;
    int whole_lines = ((uintptr_t)gradient->values | (uintptr_t)p->voxels * sizeof(float)) % 64 == 0;
    size_t bytes = gradient->count * sizeof(float);
    int in_place = gradient->values == p->batch->logits;
    return whole_lines && bytes >= STREAMING_BYTES && !in_place ? STORE_STREAMING : STORE_PLAIN;
}

static void scale_coefficients(const gradient_context *c, int64_t row, int64_t first, float *scaled,
                               run_coefficients *k) {
    const part *p = c->part;
    const closs_plan *plan = p->plan;
    int64_t sample = row_sample(p, row), channel = row_channel(p, row);
    int64_t classes = plan->formula.activation == CLOSS_SOFTMAX ? plan->shape.classes : 1;
    float scale = c->gradient->scale;
    if (plan->formula.region) {
        region_scaled_coefficients(plan, c->coefficients, p->first_sample + sample, channel, classes, scale, scaled);
        k->target = scaled;
        k->constant = scaled + classes;
        k->probability = scaled + 2 * classes;
    }
    for (int i = 0; i < plan->formula.pointwise_count; i++)
        k->pointwise[i] = (float)load_double(&c->coefficients[plan->coefficients.pointwise + (size_t)i]) * scale;
    if (plan->balanced) {
        const int64_t *words =
            c->coefficients + plan->coefficients.selection + (p->first_sample + sample) * TAKEN_WORDS;
        k->balanced = (float)load_double(&words[TAKEN_COEFFICIENT]) * scale;
        k->threshold = (uint32_t)words[TAKEN_THRESHOLD];
        k->tie_end = c->tie_ends[sample] - (channel * p->voxels + first);
    }
}

static fault gradient_run(void *context, int thread, int64_t row, int64_t first, int64_t voxels) {
    (void)thread;
    const gradient_context *c = context;
    float scaled[CLOSS_MAX_CLASSES * REGION_COEFFICIENTS];
    run_coefficients k;
    scale_coefficients(c, row, first, scaled, &k);
    run at = part_run(c->part, row, first, voxels, c->gradient->values, c->store);
    const closs_plan *plan = c->part->plan;
    if (!c->totals) {
        plan->kernels->gradient(&plan->formula, &at, &k);
        return FAULT_NONE;
    }
    class_sums classes[CLOSS_MAX_CLASSES];
    run_sums sums = {.classes = classes};
    fault found = plan->kernels->totals_and_gradient(&plan->formula, &at, &k, &sums);
    if (found == FAULT_NONE) add_sums(c->part, row, &sums, c->totals);
    return found;
}

// The number after the last tie that a sample takes, where it takes some of its ties only.
static int64_t tie_end(const part *p, int64_t sample, uint32_t threshold, int64_t ties) {
    int64_t rows = plan_rows_per_sample(p->plan);
    if (ties == INT64_MAX) return INT64_MAX;
    for (int64_t row = 0; row < rows && ties > 0; row++)
        for (int64_t first = 0; first < p->voxels;) {
            int64_t voxels = p->voxels - first < RUN_VOXELS ? p->voxels - first : RUN_VOXELS;
            int64_t here;
            // The run that holds the last tie is cut in half until it is that value alone.
            for (;; voxels = (voxels + 1) / 2) {
                run at = part_run(p, sample * rows + row, first, voxels, 0, STORE_PLAIN);
                here = p->plan->kernels->selection_ties(&p->plan->formula, &at, threshold);
                if (here < ties) break;
                if (voxels == 1) return row * p->voxels + first + 1;
            }
            ties -= here;
            first += voxels;
        }
    return 0;
}

static void find_tie_ends(const part *p, const int64_t *coefficients, int64_t *tie_ends) {
    if (!p->plan->balanced) return;
    for (int64_t s = 0; s < p->samples; s++) {
        const int64_t *words = coefficients + p->plan->coefficients.selection + (p->first_sample + s) * TAKEN_WORDS;
        tie_ends[s] = tie_end(p, s, (uint32_t)words[TAKEN_THRESHOLD], words[TAKEN_TIES]);
    }
}

void gradient_pass(const part *p, const int64_t *coefficients, const closs_gradient_buffer *gradient,
                   int64_t *tie_ends) {
    find_tie_ends(p, coefficients, tie_ends);
    gradient_context context = {p, coefficients, gradient, store_of(p, gradient), tie_ends, 0};
    sweep s = sweep_of(p, gradient_run, &context);
    s.backwards = 1;
    run_sweep(&s);
}

sweep_fault combined_pass(const part *p, const int64_t *coefficients, const closs_gradient_buffer *gradient,
                          int64_t *totals) {
    gradient_context context = {p, coefficients, gradient, store_of(p, gradient), 0, totals};
    sweep s = sweep_of(p, gradient_run, &context);
    return run_sweep(&s);
}
