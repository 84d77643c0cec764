#include "driver/passes.h"

#include <string.h>

#include "driver/selection_passes.h"
#include "kernels/key.h"
#include "sums/wide.h"
#include "terms/lovasz.h"
#include "terms/pointwise.h"
#include "terms/region.h"
#include "terms/selection.h"

// Gradients larger than this go past the cache: they would only push out what is read again.
static const size_t STREAMING_BYTES = 4u << 20;

enum { SEES_EVERYTHING = SEES_TARGETS | SEES_WEIGHTS | SEES_INPUT | SEES_LOSSES };

static sweep sweep_of(const part *p, int sees, sweep_body *body, void *context) {
    int64_t values = p->samples * p->plan->shape.classes * p->voxels;
    return (sweep){.rows = part_rows(p),
                   .voxels = p->voxels,
                   .threads = threads_for(p->plan->threads, values),
                   .sees = sees,
                   .body = body,
                   .context = context};
}

// The sweep of channels that are staged together: its rows are samples.
static sweep together_sweep_of(const part *p, int sees, sweep_body *body, void *context) {
    sweep s = sweep_of(p, sees, body, context);
    s.rows = p->samples;
    return s;
}

static run together_run(const part *p, int64_t sample, int64_t first, int64_t voxels, void *gradient,
                        gradient_store store) {
    run at = part_run(p, sample * p->plan->shape.classes, first, voxels, gradient, store);
    at.channels = (int)p->plan->shape.classes;
    return at;
}

// Where a fault is, channel by channel, the way in which it is looked for otherwise.
static part apart(const part *p) {
    part same = *p;
    same.together = 0;
    return same;
}

// ----------------------------------------------------------------------------------------------------- totals ----

typedef struct totals_context {
    const part *part;
    const formula *formula; // the plan's, or what is wanted of it
    int64_t *totals;
} totals_context;

static void add_sums(const part *p, int64_t row, const run_sums *sums, int64_t *totals) {
    const closs_plan *plan = p->plan;
    int64_t sample = p->first_sample + row_sample(p, row), channel = row_channel(p, row);
    if (plan->formula.region) region_add(plan, sample, channel, row_classes(p), p->batch->target, sums, totals);
    pointwise_add(plan, sample, channel, p->batch->weights != 0, sums, totals);
}

static fault totals_run(void *context, int thread, int64_t row, int64_t first, int64_t voxels) {
    (void)thread;
    const totals_context *c = context;
    class_sums classes[row_classes(c->part)];
    run_sums sums = {.classes = classes};
    run at = part_run(c->part, row, first, voxels, 0, STORE_PLAIN);
    fault found = c->part->plan->kernels->totals(c->formula, &at, &sums);
    if (c->formula->pointwise_count == 0) memset(sums.loss, 0, sizeof sums.loss);
    if (found == FAULT_NONE) add_sums(c->part, row, &sums, c->totals);
    return found;
}

// The sums of all channels of a stretch.
static void add_sums_together(const part *p, int64_t sample, const run_sums *sums, int64_t *totals) {
    int64_t channels = p->plan->shape.classes;
    for (int64_t c = 0; c < channels; c++) add_sums(p, sample * channels + c, &sums[c], totals);
}

static void point_to(class_sums *classes, run_sums *sums, int64_t channels) {
    for (int64_t c = 0; c < channels; c++) sums[c].classes = &classes[c];
}

static fault totals_together(void *context, int thread, int64_t sample, int64_t first, int64_t voxels) {
    (void)thread;
    const totals_context *c = context;
    const closs_plan *plan = c->part->plan;
    class_sums classes[plan->shape.classes];
    run_sums sums[plan->shape.classes];
    point_to(classes, sums, plan->shape.classes);
    run at = together_run(c->part, sample, first, voxels, 0, STORE_PLAIN);
    fault found = plan->kernels->totals(&plan->formula, &at, sums);
    if (found == FAULT_NONE) add_sums_together(c->part, sample, sums, c->totals);
    return found;
}

static sweep_fault totals_pass_together(const part *p, int64_t *totals) {
    totals_context context = {p, &p->plan->formula, totals};
    sweep s = together_sweep_of(p, SEES_EVERYTHING, totals_together, &context);
    sweep_fault found = run_sweep(&s);
    if (!found.found) return found;
    part same = apart(p);
    return totals_pass(&same, totals);
}

sweep_fault totals_pass(const part *p, int64_t *totals) {
    if (p->together) return totals_pass_together(p, totals);
    totals_context context = {p, &p->plan->formula, totals};
    sweep s = sweep_of(p, SEES_EVERYTHING, totals_run, &context);
    return run_sweep(&s);
}

int losses_can_wait(const part *p) {
    const closs_plan *plan = p->plan;
    const formula *f = &plan->formula;
    if (f->activation != CLOSS_SOFTMAX || !f->region || !f->pointwise_count) return 0;
    if (plan->selection || plan->lovasz || f->weighted || f->maps || p->distance_maps) return 0;
    if (!f->has_curves || f->curved || f->rests || f->class_parts) return 0;
    if (p->batch->weights || target_is_dense(p->batch->target)) return 0;
    // Four losses are added as floats.
    return 4.5 * pointwise_loss_bound(plan, LARGEST_BOUNDED, 1, 0) < 0x1p19;
}

int bounded_region_pass(const part *p, int64_t *totals) {
    formula region = p->plan->formula;
    region.bounded = 1;
    region.pointwise_count = 0;
    region.has_curves = region.smooths = region.per_channel = region.errors = 0;
    totals_context context = {p, &region, totals};
    sweep s = sweep_of(p, SEES_EVERYTHING, totals_run, &context);
    return !run_sweep(&s).found;
}

// ----------------------------------------------------------------------------------------------------- survey ----

typedef struct survey_context {
    const part *part;
    int with_logits;
    int64_t *totals;
    uint32_t largest_logit, largest_weight, largest_map; // bits; as integers they order like the floats
} survey_context;

static void raise_to(uint32_t *largest, uint32_t bits) {
    uint32_t known = __atomic_load_n(largest, __ATOMIC_RELAXED);
    while (bits > known && !__atomic_compare_exchange_n(largest, &known, bits, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

static void raise_found(survey_context *c, const run_survey *found) {
    uint32_t weight_bits;
    memcpy(&weight_bits, &found->largest_weight, sizeof weight_bits);
    raise_to(&c->largest_logit, found->largest_logit_bits);
    raise_to(&c->largest_weight, weight_bits);
    raise_to(&c->largest_map, found->largest_map_bits);
}

static void add_surveyed(const survey_context *c, int64_t row, run_sums *sums) {
    if (!c->totals) return;
    memset(sums->loss, 0, sizeof sums->loss);
    memset(sums->loss_rest, 0, sizeof sums->loss_rest);
    const part *p = c->part;
    pointwise_add(p->plan, p->first_sample + row_sample(p, row), row_channel(p, row), p->batch->weights != 0, sums,
                  c->totals);
}

static fault survey_row(void *context, int thread, int64_t row, int64_t first, int64_t voxels) {
    (void)thread;
    survey_context *c = context;
    class_sums classes[row_classes(c->part)];
    run_sums sums = {.classes = classes};
    run_survey found;
    run at = part_run(c->part, row, first, voxels, 0, STORE_PLAIN);
    fault outcome = c->part->plan->kernels->survey(&c->part->plan->formula, &at, c->with_logits, &found, &sums);
    if (outcome != FAULT_NONE) return outcome;
    raise_found(c, &found);
    add_surveyed(c, row, &sums);
    return FAULT_NONE;
}

static fault survey_together(void *context, int thread, int64_t sample, int64_t first, int64_t voxels) {
    (void)thread;
    survey_context *c = context;
    const closs_plan *plan = c->part->plan;
    const int64_t channels = plan->shape.classes;
    class_sums classes[channels];
    run_sums sums[channels];
    run_survey found;
    point_to(classes, sums, channels);
    run at = together_run(c->part, sample, first, voxels, 0, STORE_PLAIN);
    fault outcome = plan->kernels->survey(&plan->formula, &at, c->with_logits, &found, sums);
    if (outcome != FAULT_NONE) return outcome;
    raise_found(c, &found);
    for (int64_t channel = 0; channel < channels; channel++)
        add_surveyed(c, sample * channels + channel, &sums[channel]);
    return FAULT_NONE;
}

sweep_fault survey_pass(const part *p, int with_logits, int64_t *totals, survey_found *found) {
    survey_context context = {p, with_logits, totals, 0, 0, 0};
    int sees = SEES_TARGETS | SEES_WEIGHTS | (with_logits ? SEES_INPUT : 0);
    sweep s =
        p->together ? together_sweep_of(p, sees, survey_together, &context) : sweep_of(p, sees, survey_row, &context);
    sweep_fault fault = run_sweep(&s);
    if (fault.found && p->together) {
        part same = apart(p);
        return survey_pass(&same, with_logits, totals, found);
    }
    memcpy(&found->largest_logit, &context.largest_logit, sizeof(float));
    memcpy(&found->largest_weight, &context.largest_weight, sizeof(float));
    memcpy(&found->largest_map, &context.largest_map, sizeof(float));
    return fault;
}

// ---------------------------------------------------------------------------------------------------- gradient ----

typedef struct gradient_context {
    const part *part;
    const int64_t *coefficients;
    const closs_gradient_buffer *gradient;
    gradient_store store;
    const int64_t *tie_ends;  // of each sample of the part, in values from its first
    int64_t *balanced_losses; // of each sample of the part, or NULL
    int64_t *totals;          // of the combined passes
    int losses_waited;        // only these are added to them
} gradient_context;

static gradient_store store_of(const part *p, const closs_gradient_buffer *gradient) {
    if (gradient->write == CLOSS_ADD) return STORE_ADD;
    int whole_lines = p->staged || ((uintptr_t)gradient->values | (uintptr_t)p->voxels * sizeof(float)) % 64 == 0;
    size_t bytes = (size_t)p->layout.gradient.span * p->layout.gradient.bytes;
    int in_place = gradient->values == p->batch->logits;
    return whole_lines && bytes >= STREAMING_BYTES && !in_place ? STORE_STREAMING : STORE_PLAIN;
}

// Of a class: those of the region terms, and the Lovasz term's.
enum { SCALED_COEFFICIENTS = REGION_SLOPES + 1 };

static void scale_coefficients(const gradient_context *c, int64_t row, int64_t first, float *scaled,
                               run_coefficients *k) {
    const part *p = c->part;
    const closs_plan *plan = p->plan;
    int64_t sample = row_sample(p, row), channel = row_channel(p, row);
    int64_t classes = row_classes(p);
    float scale = c->gradient->scale;
    if (plan->formula.region) {
        region_scaled_slopes(plan, c->coefficients, p->first_sample + sample, channel, classes,
                             p->batch->target != CLOSS_DENSE_F32, scale, scaled);
        k->target = scaled + SLOPE_TARGET * classes;
        k->other = scaled + SLOPE_OTHER * classes;
        k->target_below = scaled + SLOPE_TARGET_BELOW * classes;
        k->other_below = scaled + SLOPE_OTHER_BELOW * classes;
        k->square = scaled + SLOPE_SQUARE * classes;
    }
    if (plan->lovasz) {
        k->lovasz = scaled + REGION_SLOPES * classes;
        lovasz_scaled_coefficients(plan, c->coefficients, p->first_sample + sample, channel, classes, scale,
                                   scaled + REGION_SLOPES * classes);
    }
    for (int i = 0; i < plan->formula.pointwise_count; i++) {
        k->pointwise[i] = (float)load_double(&c->coefficients[pointwise_coefficient(plan, i, channel)]) * scale;
        if (plan->formula.factors)
            k->factor[i] = (float)load_double(&c->coefficients[pointwise_factor_coefficient(plan, i, channel)]) * scale;
    }
    if (plan->selection) {
        const int64_t *words =
            c->coefficients + plan->coefficients.selection + (p->first_sample + sample) * TAKEN_WORDS;
        k->balanced = (float)load_double(&words[TAKEN_COEFFICIENT]) * scale;
        k->ranked = (float)load_double(&words[TAKEN_RANKED_COEFFICIENT]) * scale;
        k->threshold = float_of_key((uint32_t)words[TAKEN_THRESHOLD]);
        k->tie_end = tie_end_from(p, c->tie_ends, row, first);
    }
}

static fault gradient_run(void *context, int thread, int64_t row, int64_t first, int64_t voxels) {
    (void)thread;
    const gradient_context *c = context;
    float scaled[CLOSS_MAX_CLASSES * SCALED_COEFFICIENTS];
    run_coefficients k;
    scale_coefficients(c, row, first, scaled, &k);
    run at = part_run(c->part, row, first, voxels, c->gradient->values, c->store);
    const closs_plan *plan = c->part->plan;
    if (!c->totals) {
        __int128 loss = 0;
        plan->kernels->gradient(&plan->formula, &at, &k, c->balanced_losses ? &loss : 0);
        if (c->balanced_losses) wide_add_shared(c->balanced_losses + row_sample(c->part, row) * WIDE_WORDS, loss);
        return FAULT_NONE;
    }
    class_sums classes[row_classes(c->part)];
    run_sums sums = {.classes = classes};
    fault found = plan->kernels->totals_and_gradient(&plan->formula, &at, &k, &sums);
    if (found != FAULT_NONE) return found;
    if (c->losses_waited)
        pointwise_add_losses(plan, c->part->first_sample + row_sample(c->part, row), row_channel(c->part, row), &sums,
                             c->totals);
    else
        add_sums(c->part, row, &sums, c->totals);
    return found;
}

static fault gradient_together(void *context, int thread, int64_t sample, int64_t first, int64_t voxels) {
    (void)thread;
    const gradient_context *c = context;
    const closs_plan *plan = c->part->plan;
    const int64_t channels = plan->shape.classes;
    float scaled[channels][SCALED_COEFFICIENTS];
    run_coefficients k[channels];
    for (int64_t channel = 0; channel < channels; channel++)
        scale_coefficients(c, sample * channels + channel, first, scaled[channel], &k[channel]);
    run at = together_run(c->part, sample, first, voxels, c->gradient->values, c->store);
    if (!c->totals) {
        __int128 loss = 0;
        plan->kernels->gradient(&plan->formula, &at, k, c->balanced_losses ? &loss : 0);
        if (c->balanced_losses) wide_add_shared(c->balanced_losses + sample * WIDE_WORDS, loss);
        return FAULT_NONE;
    }
    class_sums classes[channels];
    run_sums sums[channels];
    point_to(classes, sums, channels);
    fault found = plan->kernels->totals_and_gradient(&plan->formula, &at, k, sums);
    if (found == FAULT_NONE) add_sums_together(c->part, sample, sums, c->totals);
    return found;
}

static sweep gradient_sweep(const part *p, int sees, gradient_context *context) {
    return p->together ? together_sweep_of(p, sees, gradient_together, context)
                       : sweep_of(p, sees, gradient_run, context);
}

// From the end, which the sweep before has left in the cache. Nothing is refused any more.
static void sweep_backwards(const part *p, gradient_context *context) {
    sweep s = gradient_sweep(p, 0, context);
    s.backwards = 1;
    run_sweep(&s);
}

void gradient_pass(const part *p, const int64_t *coefficients, const closs_gradient_buffer *gradient, int64_t *tie_ends,
                   int64_t *balanced_losses) {
    find_tie_ends(p, coefficients, tie_ends);
    gradient_context context = {p, coefficients, gradient, store_of(p, gradient), tie_ends, balanced_losses, 0, 0};
    sweep_backwards(p, &context);
}

void gradient_and_losses_pass(const part *p, const int64_t *coefficients, const closs_gradient_buffer *gradient,
                              int64_t *totals) {
    gradient_context context = {p, coefficients, gradient, store_of(p, gradient), 0, 0, totals, 1};
    sweep_backwards(p, &context);
}

sweep_fault combined_pass(const part *p, const int64_t *coefficients, const closs_gradient_buffer *gradient,
                          int64_t *totals) {
    gradient_context context = {p, coefficients, gradient, store_of(p, gradient), 0, 0, totals, 0};
    sweep s = gradient_sweep(p, SEES_EVERYTHING, &context);
    sweep_fault found = run_sweep(&s);
    if (!found.found || !p->together) return found;
    part same = apart(p);
    return gradient->values == p->batch->logits ? found : totals_pass(&same, totals);
}

// --------------------------------------------------------------------------------------------------- loss map ----

typedef struct loss_map_context {
    const part *part;
    int term;
    float *map;
} loss_map_context;

static fault loss_map_run(void *context, int thread, int64_t row, int64_t first, int64_t voxels) {
    (void)thread;
    const loss_map_context *c = context;
    const part *p = c->part;
    run at = part_run(p, row, first, voxels, 0, STORE_PLAIN);
    loss_map_factors factors = pointwise_map_factors(p->plan, c->term, row_channel(p, row));
    p->plan->kernels->loss_map(&p->plan->formula, &at, &factors, c->map + row * p->voxels + first);
    return FAULT_NONE;
}

void loss_map_pass(const part *p, int term, float *map) {
    loss_map_context context = {p, term, map};
    sweep s = sweep_of(p, 0, loss_map_run, &context);
    run_sweep(&s);
}
