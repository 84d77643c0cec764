// The verbs. Each checks everything first, works in the caller's scratch, and touches the caller's results last. All of
// a call, the serial stretches too, is in the contract's floating-point environment (arithmetic 1).
#include <string.h>

#include "api/check_batch.h"
#include "api/diagnose.h"
#include "api/evaluation.h"
#include "api/scratch.h"
#include "driver/distance_terms.h"
#include "driver/environment.h"
#include "driver/lovasz_passes.h"
#include "driver/passes.h"
#include "driver/selection_passes.h"
#include "terms/lovasz.h"
#include "terms/overlap.h"
#include "terms/pointwise.h"
#include "terms/region.h"
#include "terms/selection.h"

static int has_sums(const closs_plan *plan) { return plan->formula.region || plan->formula.pointwise_count; }

static int only_pointwise(const closs_plan *plan) {
    return !plan->formula.region && !plan->selection && !plan->lovasz && !plan->formula.factors &&
           !plan->formula.curved;
}

static void clear(int64_t *words, size_t count) { memset(words, 0, count * sizeof *words); }

// ------------------------------------------------------------------------------------------------- accumulate ----

// What a gradient that follows in the same call needs or spares.
typedef struct gradient_to_come {
    int losses; // 0: those of a balanced term will be added up with it
    int slopes; // of a Lovasz term
} gradient_to_come;

// What one look at a part tells: sums, and what a Lovasz term ranks.
static sweep_fault accumulate_at_once(const part *p, gradient_to_come to_come, int64_t *totals, const scratch *s) {
    sweep_fault found = {0};
    if (has_sums(p->plan)) found = totals_pass(p, totals);
    if (found.found || !p->plan->lovasz) return found;
    return lovasz_pass(p, to_come.slopes, totals, &s->lovasz);
}

// One stage of a part's totals.
static sweep_fault accumulate_stage(const part *p, int stage, gradient_to_come to_come, int64_t *totals,
                                    const scratch *s) {
    const closs_plan *plan = p->plan;
    sweep_fault found = {0};
    if (stage == 0) found = accumulate_at_once(p, to_come, totals, s);
    if (found.found || !plan->selection) return found;
    if (plan->selection_scope == CLOSS_PER_SAMPLE)
        return selection_samples_pass(p, to_come.losses, totals, &s->selection);
    return selection_pass(p, stage, totals, &s->selection);
}

// All stages of a whole batch.
static sweep_fault accumulate_whole(const part *p, gradient_to_come to_come, int64_t *totals, const scratch *s) {
    if (closs_stage_count(p->plan) == 1) return accumulate_stage(p, 0, to_come, totals, s);
    sweep_fault found = accumulate_at_once(p, to_come, totals, s);
    return found.found ? found : selection_batch_pass(p, to_come.losses, totals, &s->selection);
}

void closs_stage_words(const closs_plan *plan, int stage, size_t *first, size_t *count) {
    *first = *count = 0;
    if (stage < 0 || stage >= closs_stage_count(plan)) return;
    if (closs_stage_count(plan) == 1)
        *count = closs_totals_count(plan);
    else
        selection_stage_words(plan, stage, first, count);
}

static closs_status check_stage(const closs_plan *plan, int stage, closs_error *error) {
    if (plan && stage >= 0 && stage < closs_stage_count(plan)) return CLOSS_OK;
    if (!plan) return refuse(error, CLOSS_NULL_POINTER, -1, "plan is NULL");
    return refuse(error, CLOSS_BAD_OPTION, -1, "stage is %d: expected 0 to %d", stage, closs_stage_count(plan) - 1);
}

// Adds the words of one stage, all or none.
static closs_status add_stage(const closs_plan *plan, int stage, int64_t *into, const int64_t *from,
                              closs_error *error) {
    size_t first, count;
    int64_t sum;
    closs_stage_words(plan, stage, &first, &count);
    for (size_t i = first; i < first + count; i++)
        if (__builtin_add_overflow(into[i], from[i], &sum))
            return refuse(error, CLOSS_OUT_OF_RANGE, (int64_t)i,
                          "word %zu of the totals would be %lld + %lld: expected a sum of 64 bits", i,
                          (long long)into[i], (long long)from[i]);
    for (size_t i = first; i < first + count; i++) into[i] += from[i];
    return accepted(error);
}

// A stage reads what earlier stages found and adds to its own words; both go through scratch, so that a part that is
// refused halfway has added nothing.
NOT_INLINED static closs_status accumulate(const closs_plan *plan, int stage, const closs_batch *batch, int64_t *totals,
                                           size_t totals_count, void *memory, size_t memory_bytes, closs_error *error) {
    closs_status status = check_stage(plan, stage, error);
    if (status == CLOSS_OK) status = check_totals(plan, totals, totals_count, "totals", error);
    call_memory call = {.totals = totals,
                        .totals_count = totals_count,
                        .writes_totals = 1,
                        .scratch = memory,
                        .scratch_bytes = memory_bytes};
    part p;
    if (status == CLOSS_OK) status = check_batch(plan, batch, 0, &call, &p, error);
    if (status != CLOSS_OK) return status;
    scratch s = scratch_in(plan, memory);
    size_t first, count;
    closs_stage_words(plan, stage, &first, &count);
    memcpy(s.totals, totals, plan->totals.count * sizeof *totals);
    clear(s.totals + first, count);
    if (stage == 0) distance_terms_pass(&p, s.distances);
    sweep_fault found = accumulate_stage(&p, stage, (gradient_to_come){.losses = 1}, s.totals, &s);
    if (found.found) return diagnose(&p, &found, error);
    return add_stage(plan, stage, totals, s.totals, error);
}

closs_status closs_accumulate(const closs_plan *plan, int stage, const closs_batch *batch, int64_t *totals,
                              size_t totals_count, void *memory, size_t memory_bytes, closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status = accumulate(plan, stage, batch, totals, totals_count, memory, memory_bytes, error);
    environment_leave(callers);
    return status;
}

closs_status closs_merge(const closs_plan *plan, int stage, int64_t *into, size_t into_count, const int64_t *from,
                         size_t from_count, closs_error *error) {
    closs_status status = check_stage(plan, stage, error);
    if (status == CLOSS_OK) status = check_totals(plan, into, into_count, "into", error);
    if (status == CLOSS_OK) status = check_totals(plan, from, from_count, "from", error);
    if (status != CLOSS_OK) return status;
    return add_stage(plan, stage, into, from, error);
}

// ----------------------------------------------------------------------------------------------------- finish ----

static double finish_term(const closs_plan *plan, size_t i, const int64_t *totals, int64_t *coefficients,
                          double *per_class) {
    if (is_region(plan->terms[i].kind)) return region_finish(plan, &plan->terms[i], totals, coefficients, per_class);
    switch (plan->terms[i].kind) {
    case CLOSS_BALANCED_BINARY_CROSS_ENTROPY:
    case CLOSS_TOP_K:
    case CLOSS_OHEM:
    case CLOSS_BALANCED_L1: return selection_finish(plan, totals, coefficients);
    case CLOSS_LOVASZ_SOFTMAX:
    case CLOSS_LOVASZ_HINGE: return lovasz_finish(plan, totals, coefficients, per_class);
    default: return pointwise_finish(plan, i, totals, coefficients, per_class);
    }
}

static double sample_value(const closs_plan *plan, size_t i, const int64_t *totals, int64_t sample) {
    if (is_region(plan->terms[i].kind)) return region_sample_value(plan, &plan->terms[i], totals, sample);
    if (is_lovasz(plan->terms[i].kind)) return lovasz_sample_value(plan, totals, sample);
    if (plan->pointwise_index[i] < 0) return selection_sample_value(plan, totals, sample);
    return pointwise_sample_value(plan, i, totals, sample);
}

// A coefficient beyond float's range (a divisor near 0, a huge weight or scale) would make NaNs of zeros. Up to four of
// a region's are added up.
static closs_status check_coefficient_range(const closs_plan *plan, const int64_t *coefficients, float scale,
                                            closs_error *error) {
    size_t doubles = plan->coefficients.selection, taken = TAKEN_WORDS;
    for (size_t i = 0; i < plan->coefficients.count; i++) {
        if (i >= doubles && (i - doubles) % taken > TAKEN_RANKED_COEFFICIENT) continue;
        if (!__builtin_isfinite((float)(4 * load_double(&coefficients[i])) * scale))
            return refuse(error, CLOSS_OUT_OF_RANGE, -1,
                          "a coefficient of the gradient, %g times the scale %g, is beyond the range of float",
                          load_double(&coefficients[i]), (double)scale);
    }
    return CLOSS_OK;
}

static void finish(const closs_plan *plan, const int64_t *totals, closs_result *result, int64_t *coefficients) {
    if (coefficients) clear(coefficients, plan->coefficients.count);
    double value = 0;
    for (size_t i = 0; i < plan->term_count; i++) {
        double *per_class = result && result->per_class ? result->per_class + i * (size_t)plan->shape.classes : 0;
        if (per_class) memset(per_class, 0, (size_t)plan->shape.classes * sizeof *per_class);
        double term = finish_term(plan, i, totals, coefficients, per_class);
        if (result && result->terms) result->terms[i] = term;
        double *per_sample = result && result->per_sample ? result->per_sample + i * (size_t)plan->shape.samples : 0;
        for (int64_t s = 0; per_sample && s < plan->shape.samples; s++)
            per_sample[s] = sample_value(plan, i, totals, s);
        value += plan->terms[i].weight * term;
    }
    if (result) result->value = value;
}

NOT_INLINED static closs_status finish_totals(const closs_plan *plan, const int64_t *totals, size_t totals_count,
                                              closs_result *result, int64_t *coefficients, size_t coefficients_count,
                                              closs_error *error) {
    closs_status status = check_totals(plan, totals, totals_count, "totals", error);
    if (status == CLOSS_OK) status = check_result(plan, result, error);
    if (status == CLOSS_OK && coefficients) status = check_coefficients(plan, coefficients, coefficients_count, error);
    if (status == CLOSS_OK)
        status = check_finish_overlap(totals, totals_count, coefficients, coefficients_count, result, error);
    if (status != CLOSS_OK) return status;
    finish(plan, totals, result, coefficients);
    return accepted(error);
}

closs_status closs_finish(const closs_plan *plan, const int64_t *totals, size_t totals_count, closs_result *result,
                          int64_t *coefficients, size_t coefficients_count, closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status = finish_totals(plan, totals, totals_count, result, coefficients, coefficients_count, error);
    environment_leave(callers);
    return status;
}

// --------------------------------------------------------------------------------------------------- gradient ----

// Where the plan asks for it, and where the gradient replaces the logits, which could not be looked at again to say
// what was wrong with them.
static int checks_before(const part *p, const closs_gradient_buffer *gradient) {
    return p->plan->checks == CLOSS_CHECK_BEFORE_WRITING || gradient->values == p->batch->logits;
}

NOT_INLINED static closs_status write_gradient(const closs_plan *plan, const int64_t *coefficients,
                                               size_t coefficients_count, const closs_batch *batch,
                                               const closs_gradient_buffer *gradient, void *memory, size_t memory_bytes,
                                               closs_error *error) {
    if (!plan) return refuse(error, CLOSS_NULL_POINTER, -1, "plan is NULL");
    if (!gradient) return refuse(error, CLOSS_NULL_POINTER, -1, "gradient is NULL");
    closs_status status = check_coefficients(plan, coefficients, coefficients_count, error);
    call_memory call = {.gradient = gradient,
                        .coefficients = coefficients,
                        .coefficients_count = coefficients_count,
                        .scratch = memory,
                        .scratch_bytes = memory_bytes};
    part p;
    if (status == CLOSS_OK) status = check_batch(plan, batch, 0, &call, &p, error);
    if (status != CLOSS_OK) return status;
    status = check_coefficient_range(plan, coefficients, gradient->scale, error);
    if (status != CLOSS_OK) return status;
    distance_terms_pass(&p, scratch_in(plan, memory).distances);
    if (checks_before(&p, gradient)) {
        survey_found found;
        sweep_fault fault = survey_pass(&p, 1, 0, &found);
        if (fault.found) return diagnose(&p, &fault, error);
    }
    scratch s = scratch_in(plan, memory);
    if (plan->lovasz) lovasz_pass(&p, 1, 0, &s.lovasz);
    p.lovasz_slopes = s.lovasz.values;
    gradient_pass(&p, coefficients, gradient, s.selection.tie_ends, 0);
    return accepted(error);
}

closs_status closs_gradient(const closs_plan *plan, const int64_t *coefficients, size_t coefficients_count,
                            const closs_batch *batch, const closs_gradient_buffer *gradient, void *memory,
                            size_t memory_bytes, closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status =
        write_gradient(plan, coefficients, coefficients_count, batch, gradient, memory, memory_bytes, error);
    environment_leave(callers);
    return status;
}

// --------------------------------------------------------------------------------------------------- evaluate ----

closs_status evaluation_coefficients(evaluation *e, closs_error *error) {
    const scratch *s = &e->scratch;
    if (!e->memory.gradient) return accepted(error);
    finish(e->part.plan, s->totals, 0, s->coefficients);
    return check_coefficient_range(e->part.plan, s->coefficients, e->memory.gradient->scale, error);
}

// Totals first, then the gradient; or with it some of the totals.
static closs_status prepare_two_sweeps(evaluation *e, closs_error *error) {
    const part *p = &e->part;
    const closs_gradient_buffer *gradient = e->memory.gradient;
    clear(e->scratch.totals, p->plan->totals.count);
    e->losses_wait = gradient && losses_can_wait(p) && bounded_region_pass(p, e->scratch.totals);
    if (e->losses_wait) return evaluation_coefficients(e, error);
    clear(e->scratch.totals, p->plan->totals.count);
    gradient_to_come to_come = {.losses = !gradient || !p->plan->formula.balanced, .slopes = gradient != 0};
    sweep_fault found = accumulate_whole(p, to_come, e->scratch.totals, &e->scratch);
    if (found.found) return diagnose(p, &found, error);
    return evaluation_coefficients(e, error);
}

static void write_two_sweeps(evaluation *e) {
    part *p = &e->part;
    const scratch *s = &e->scratch;
    if (e->losses_wait) {
        gradient_and_losses_pass(p, s->coefficients, e->memory.gradient, s->totals);
        return;
    }
    p->lovasz_slopes = s->lovasz.values;
    int64_t *losses = p->plan->formula.balanced ? s->balanced_losses : 0;
    if (losses) clear(losses, (size_t)p->samples * 2);
    gradient_pass(p, s->coefficients, e->memory.gradient, s->selection.tie_ends, losses);
    if (losses) selection_set_losses(p->plan, losses, s->totals);
}

// What the divisors are, and whether anything must be refused, before the first write.
static sweep_fault survey_for_one_sweep(const part *p, const closs_gradient_buffer *gradient, const scratch *s) {
    int before = checks_before(p, gradient);
    survey_found found = {0};
    sweep_fault fault = {0};
    clear(s->totals, p->plan->totals.count);
    if (before || !pointwise_divisors_known(p->plan, p->batch))
        fault = survey_pass(p, before, s->totals, &found);
    else
        pointwise_add_known(p->plan, s->totals);
    if (fault.found || !before) return fault;
    // Four losses are added as floats; none of them can be near the limit, or each is looked at.
    double bound = 4.5 * pointwise_loss_bound(p->plan, found.largest_logit, found.largest_weight, found.largest_map);
    if (bound < 0x1p19) return fault;
    clear(s->totals, p->plan->totals.count);
    return totals_pass(p, s->totals);
}

// Value and gradient together: the divisors are found beforehand.
static closs_status prepare_one_sweep(evaluation *e, closs_error *error) {
    const part *p = &e->part;
    const scratch *s = &e->scratch;
    sweep_fault found = survey_for_one_sweep(p, e->memory.gradient, s);
    if (found.found) return diagnose(p, &found, error);
    return evaluation_coefficients(e, error);
}

static closs_status write_one_sweep(evaluation *e, closs_error *error) {
    const part *p = &e->part;
    clear(e->scratch.totals, p->plan->totals.count);
    sweep_fault found = combined_pass(p, e->scratch.coefficients, e->memory.gradient, e->scratch.totals);
    return found.found ? diagnose(p, &found, error) : accepted(error);
}

static int takes_one_sweep(const evaluation *e) { return e->memory.gradient && only_pointwise(e->part.plan); }

closs_status evaluation_check(evaluation *e, const closs_plan *plan, const closs_batch *batch,
                              const closs_gradient_buffer *gradient, closs_result *result, void *memory,
                              size_t memory_bytes, closs_error *error) {
    e->memory = (call_memory){.gradient = gradient, .result = result, .scratch = memory, .scratch_bytes = memory_bytes};
    e->result = result;
    closs_status status = check_batch(plan, batch, 1, &e->memory, &e->part, error);
    if (status == CLOSS_OK) status = check_result(plan, result, error);
    if (status == CLOSS_OK) e->scratch = scratch_in(plan, memory);
    return status;
}

closs_status evaluation_prepare(evaluation *e, closs_error *error) {
    distance_terms_pass(&e->part, e->scratch.distances);
    return takes_one_sweep(e) ? prepare_one_sweep(e, error) : prepare_two_sweeps(e, error);
}

closs_status evaluation_write(evaluation *e, closs_error *error) {
    if (takes_one_sweep(e)) return write_one_sweep(e, error);
    if (e->memory.gradient) write_two_sweeps(e);
    return CLOSS_OK;
}

void evaluation_finish(evaluation *e) { finish(e->part.plan, e->scratch.totals, e->result, 0); }

NOT_INLINED static closs_status evaluate(const closs_plan *plan, const closs_batch *batch,
                                         const closs_gradient_buffer *gradient, closs_result *result, void *memory,
                                         size_t memory_bytes, closs_error *error) {
    evaluation e;
    closs_status status = evaluation_check(&e, plan, batch, gradient, result, memory, memory_bytes, error);
    if (status == CLOSS_OK) status = evaluation_prepare(&e, error);
    if (status == CLOSS_OK) status = evaluation_write(&e, error);
    if (status != CLOSS_OK) return status;
    evaluation_finish(&e);
    return accepted(error);
}

closs_status closs_evaluate(const closs_plan *plan, const closs_batch *batch, const closs_gradient_buffer *gradient,
                            closs_result *result, void *memory, size_t memory_bytes, closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status = evaluate(plan, batch, gradient, result, memory, memory_bytes, error);
    environment_leave(callers);
    return status;
}
