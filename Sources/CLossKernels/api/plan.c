#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/check_spec.h"
#include "api/describe_distance.h"
#include "api/scratch.h"
#include "driver/environment.h"
#include "driver/parallel.h"
#include "terms/lovasz.h"
#include "terms/overlap.h"
#include "terms/plan.h"
#include "terms/pointwise.h"
#include "terms/real.h"
#include "terms/region.h"
#include "terms/selection.h"

// Every term may need four arrays by class: weights, factors, and two of alphas, gammas or positive weights (of hard
// examples both again).
static size_t storage_floats(const closs_spec *spec) { return spec->term_count * 4 * (size_t)spec->shape.classes; }

static const float *stored(float **storage, const float *values, size_t count, float otherwise) {
    float *copy = *storage;
    for (size_t i = 0; i < count; i++) copy[i] = values ? values[i] : otherwise;
    *storage += count;
    return copy;
}

// The power of two that the largest weight lies at or just above. Scaled by it, weights keep their digits in sums of a
// fixed quantum, however small they are (arithmetic 4).
static double weight_scale(const float *weights, size_t count) {
    float largest = 0;
    for (size_t i = 0; weights && i < count; i++)
        if (weights[i] > largest) largest = weights[i];
    double scale = 1;
    while (largest > 0 && scale > largest) scale /= 2;
    while (scale * 2 <= largest) scale *= 2;
    return scale;
}

static const float *scaled(float **storage, const float *weights, size_t count, double scale) {
    float *copy = *storage;
    for (size_t i = 0; i < count; i++) copy[i] = weights ? (float)(weights[i] / scale) : 1;
    *storage += count;
    return copy;
}

// Arithmetic 4: the constants of a cross-entropy term.
static void describe_cross_entropy(const closs_cross_entropy *term, int64_t classes, float **storage,
                                   pointwise_formula *f) {
    f->has_class_weights = term->class_weights != 0;
    f->plain = !f->has_class_weights && term->label_smoothing == 0;
    f->weight_scale = weight_scale(term->class_weights, (size_t)classes);
    f->class_weight = scaled(storage, term->class_weights, (size_t)classes, f->weight_scale);
    float *factors = *storage;
    *storage += classes;
    double sum = 0;
    for (int64_t c = 0; c < classes; c++) {
        factors[c] = (float)((1 - term->label_smoothing) * f->class_weight[c]);
        sum += f->class_weight[c];
    }
    f->target_factor = factors;
    f->smoothing = (float)(term->label_smoothing / (double)classes);
    f->class_weight_sum = (float)sum;
    f->exponent = (float)term->exponent;
    f->has_exponent = f->exponent != 0 && f->exponent != 1;
    if (f->has_exponent) f->plain = 0;
}

// Arithmetic 4.2 and 4.5: the class weights of a focal or per-channel term inside a softmax; `focal` may be NULL.
static void describe_softmax_weights(const float *weights, const closs_focal *focal, int64_t classes, float **storage,
                                     pointwise_formula *f) {
    f->has_class_weights = weights != 0;
    f->weight_scale = weight_scale(weights, (size_t)classes);
    f->class_weight = scaled(storage, weights, (size_t)classes, f->weight_scale);
    float *factors = *storage;
    *storage += classes;
    double sum = 0;
    for (int64_t c = 0; c < classes; c++) {
        double alpha = !focal || !focal->has_alpha ? 1 : c == 0 ? 1 - focal->alpha : focal->alpha;
        factors[c] = (float)(alpha * f->class_weight[c]);
        sum += f->class_weight[c];
    }
    f->target_factor = factors;
    f->class_weight_sum = (float)sum;
}

static void keep_weights(const float **weights, size_t classes, float **storage) {
    if (*weights) *weights = stored(storage, *weights, classes, 1);
}

// Arithmetic 5.6: what sets a term apart from those that all walks know.
static void note_options(closs_divisor divisor, pointwise_formula *f) {
    if (divisor == CLOSS_DIVIDE_BY_TARGET) f->weight_of = WEIGHT_OF_TARGETS;
    if (divisor == CLOSS_DIVIDE_BY_FACTORS) f->weight_of = WEIGHT_OF_FACTORS;
    f->by_probability = is_error(f->kind) || f->log_offset > 0;
    f->special = f->kind == CLOSS_FOCAL_STAR || f->positives_only || f->weighs_positives || f->by_logit ||
                 f->log_offset > 0 || f->threshold > 0 || f->weight_of == WEIGHT_OF_FACTORS;
    if (f->special) f->plain = 0;
}

static void describe_binary(closs_binary_cross_entropy *term, size_t classes, float **storage, pointwise_formula *f) {
    f->plain = !term->positive_weights && term->label_smoothing == 0;
    f->positives_only = term->positives_only != 0;
    f->weighs_positives = term->weight_form == CLOSS_WEIGHTS_OF_POSITIVES;
    f->log_offset = (float)term->log_offset;
    f->positive_weight = stored(storage, term->positive_weights, classes, 1);
    f->flipped = (float)term->label_smoothing;
    f->kept = (float)(1 - term->label_smoothing);
}

static const float **error_weights_of(closs_term *term) {
    if (measures_distances(term->kind)) return &term->of.distance.class_weights;
    return term->kind == CLOSS_LINEAR_MAP ? &term->of.linear_map.class_weights
                                          : &term->of.probability_error.class_weights;
}

static void describe_error(closs_term *term, size_t classes, float **storage, pointwise_formula *f) {
    keep_weights(error_weights_of(term), classes, storage);
    if (term->kind == CLOSS_SMOOTH_L1) f->knee = (float)term->of.probability_error.beta;
    closs_divisor divisor = measures_distances(term->kind)   ? term->of.distance.divisor
                            : term->kind == CLOSS_LINEAR_MAP ? term->of.linear_map.divisor
                                                             : term->of.probability_error.divisor;
    note_options(divisor, f);
}

// The class weights of a term that measures distances are 0 for the classes that take no part.
static void weigh_classes(closs_distance_term *term, const distance_term *described, size_t classes, float **storage) {
    float *weights = *storage;
    int all = 1;
    for (size_t c = 0; c < classes; c++) {
        int takes_part = distance_takes_part(described, (int64_t)c);
        weights[c] = !takes_part ? 0 : term->class_weights ? term->class_weights[c] : 1;
        all &= takes_part;
    }
    *storage += classes;
    if (!all) term->class_weights = weights;
}

static void describe_distances(closs_plan *plan, const distance_plan *maps, size_t i, float **storage,
                               pointwise_formula *f) {
    closs_distance_term *term = &plan->terms[i].of.distance;
    distance_term *described = &plan->distances[plan->distance_count];
    *described = distance_describe(&plan->terms[i], plan->shape.classes, &maps[plan->distance_count++]);
    weigh_classes(term, described, (size_t)plan->shape.classes, storage);
    f->distances = plan->distance_count;
    f->map_scale = described->map_scale;
    f->logarithm = term->logarithm != 0;
    plan->formula.curved |= f->logarithm;
}

// A_c and B_c, where they are not the same for all channels.
static void describe_alphas(const closs_focal *term, size_t classes, float **storage, pointwise_formula *f) {
    int balanced = term->alpha_form == CLOSS_ALPHA_BALANCED && (term->class_alphas || term->has_alpha);
    if (!balanced) f->beta = 1;
    if (!term->class_alphas && !term->positive_weights) return;
    float *alphas = *storage, *betas = *storage + classes;
    *storage += 2 * classes;
    for (size_t c = 0; c < classes; c++) {
        double alpha = term->class_alphas ? term->class_alphas[c] : term->has_alpha ? term->alpha : 1;
        alphas[c] = (float)(alpha * (term->positive_weights ? term->positive_weights[c] : 1));
        betas[c] = balanced ? (float)(1 - alpha) : 1;
    }
    f->class_alpha = alphas;
    f->class_beta = betas;
}

static void describe_focal_options(const closs_focal *term, size_t classes, float **storage, pointwise_formula *f) {
    describe_alphas(term, classes, storage, f);
    f->positives_only = term->positives_only != 0;
    f->by_logit = term->modulation == CLOSS_MODULATION_LOGIT;
    f->log_offset = (float)term->log_offset;
    f->threshold = (float)term->reduced_threshold;
    f->largest_modulation = f->threshold > 0 ? real_power(1.0 / f->threshold, f->gamma) : 1;
    note_options(term->divisor, f);
}

static void describe_focal_star(const closs_focal_star *term, pointwise_formula *f) {
    f->gamma = (float)term->gamma;
    f->shift = (float)term->shift;
    f->alpha = term->has_alpha ? (float)term->alpha : 1;
    f->beta = term->has_alpha ? (float)(1 - term->alpha) : 1;
    note_options(term->divisor, f);
}

static void describe_focal(const closs_focal *term, pointwise_formula *f) {
    f->gamma = (float)term->gamma;
    f->gamma_is_small_integer = f->gamma == 0 || f->gamma == 1 || f->gamma == 2 || f->gamma == 3;
    f->alpha = term->has_alpha ? (float)term->alpha : 1;
    f->beta = term->has_alpha ? (float)(1 - term->alpha) : 1;
}

// What the kernels of a softmax are told of its terms together.
static void note_softmax_term(formula *f, const pointwise_formula *term) {
    f->per_channel |= term->per_channel && !is_error(term->kind);
    f->counts |= term->has_class_weights && !weighs_values(term);
    f->smooths |= term->smoothing != 0;
    f->has_curves |= term->has_exponent || (term->kind == CLOSS_FOCAL && !term->per_channel);
    f->classwise |= !term->per_channel;
}

static void describe_region(closs_term *term, size_t classes, float **storage, formula *f) {
    closs_region *region = &term->of.region;
    f->region = f->counts = 1;
    f->squares |= region->denominator == CLOSS_SQUARED;
    f->minimum |= region->product == CLOSS_MINIMUM;
    f->valid_sums |= overlap_has(term->kind, COUNTS_VALID);
    f->weighted |= region->weighted != 0;
    if (region->class_weights) region->class_weights = stored(storage, region->class_weights, classes, 1);
    if (region->class_exponents) region->class_exponents = stored(storage, region->class_exponents, classes, 1);
}

// Arithmetic 8.6: what is ranked are the losses of a cross entropy.
static void describe_ranked(const closs_cross_entropy *losses, double threshold, closs_plan *plan, float **storage) {
    formula *f = &plan->formula;
    f->ranks = RANKS_LOSSES;
    f->classwise = f->has_curves = f->logarithms = 1;
    f->ranked = (pointwise_formula){.kind = CLOSS_CROSS_ENTROPY};
    describe_cross_entropy(losses, plan->shape.classes, storage, &f->ranked);
    f->taken = f->ranked;
    double held = threshold > REAL_SMALLEST ? threshold : REAL_SMALLEST;
    f->surely = threshold > 0 ? (float)-real_log(held) : INFINITY;
    plan->select = plan->kernels->of_losses;
}

// Class weights are ranked with the losses, but where probabilities decide what is hard they come after that.
static void describe_hard_examples(const closs_ohem *ohem, closs_plan *plan, float **storage) {
    const closs_cross_entropy plain = {0}, weighted = {.class_weights = ohem->class_weights};
    const int weighs = ohem->class_weights && ohem->threshold > 0;
    describe_ranked(weighs ? &plain : &weighted, ohem->threshold, plan, storage);
    if (!weighs) return;
    plan->formula.weighs_taken = 1;
    describe_cross_entropy(&weighted, plan->shape.classes, storage, &plan->formula.taken);
}

static void describe_selection(closs_plan *plan, size_t i, float **storage) {
    closs_term *term = &plan->terms[i];
    plan->selection = term;
    plan->selection_term = (int)i;
    if (term->kind == CLOSS_TOP_K) {
        const closs_top_k *top = &term->of.top_k;
        closs_cross_entropy losses = {.class_weights = top->class_weights, .label_smoothing = top->label_smoothing};
        describe_ranked(&losses, 0, plan, storage);
        plan->selection_scope = top->scope;
    } else if (term->kind == CLOSS_OHEM) {
        describe_hard_examples(&term->of.ohem, plan, storage);
        plan->selection_scope = term->of.ohem.scope;
    } else if (term->kind == CLOSS_BALANCED_L1) {
        plan->formula.ranks = RANKS_ERRORS;
        plan->formula.errors = plan->formula.maps = 1;
        plan->select = plan->kernels->of_losses;
        plan->selection_scope = term->of.balanced_l1.scope;
    } else {
        plan->formula.balanced = plan->formula.logarithms = 1;
        plan->select = plan->kernels->of_logits;
        plan->selection_scope = term->of.balanced_binary_cross_entropy.scope;
    }
}

static void describe_lovasz(closs_plan *plan, size_t i, float **storage) {
    closs_term *term = &plan->terms[i];
    plan->lovasz = term;
    plan->lovasz_term = (int)i;
    plan->formula.lovasz = term->kind == CLOSS_LOVASZ_HINGE ? LOVASZ_HINGE : LOVASZ_PROBABILITIES;
    lovasz_take_classes(&term->of.lovasz, plan->shape.classes, plan->formula.lovasz_classes);
    keep_weights(&term->of.lovasz.class_weights, (size_t)plan->shape.classes, storage);
}

// Copies a term into the plan and tells the kernels of it. `maps` are those of the terms that measure distances.
static void add_term(closs_plan *plan, const distance_plan *maps, size_t i, float **storage) {
    closs_term *term = &plan->terms[i];
    formula *f = &plan->formula;
    size_t classes = (size_t)plan->shape.classes;
    plan->pointwise_index[i] = -1;
    if (is_region(term->kind)) {
        describe_region(term, classes, storage, f);
        return;
    }
    if (selection_name(term->kind)) {
        describe_selection(plan, i, storage);
        return;
    }
    if (is_lovasz(term->kind)) {
        describe_lovasz(plan, i, storage);
        return;
    }
    plan->pointwise_index[i] = f->pointwise_count;
    pointwise_formula *described = &f->pointwise[f->pointwise_count++];
    *described = (pointwise_formula){.kind = term->kind, .weight_scale = 1, .map_scale = 1};
    int softmax = plan->formula.activation == CLOSS_SOFTMAX;
    f->maps |= term->kind == CLOSS_LINEAR_MAP;
    if (measures_distances(term->kind)) describe_distances(plan, maps, i, storage, described);
    if (is_error(term->kind)) {
        describe_error(term, classes, storage, described);
        described->per_channel = softmax;
        if (softmax) describe_softmax_weights(*error_weights_of(term), 0, plan->shape.classes, storage, described);
    } else if (term->kind == CLOSS_CROSS_ENTROPY) {
        describe_cross_entropy(&term->of.cross_entropy, plan->shape.classes, storage, described);
    } else if (term->kind == CLOSS_FOCAL) {
        describe_focal(&term->of.focal, described);
        closs_focal *focal = &term->of.focal;
        described->per_channel = softmax && focal->per_channel;
        if (!softmax || focal->per_channel) describe_focal_options(focal, classes, storage, described);
        if (softmax) {
            describe_softmax_weights(focal->class_weights, focal, plan->shape.classes, storage, described);
            if (focal->class_gammas) described->class_gamma = stored(storage, focal->class_gammas, classes, 0);
        } else {
            keep_weights(&focal->class_weights, classes, storage);
        }
    } else if (term->kind == CLOSS_FOCAL_STAR) {
        describe_focal_star(&term->of.focal_star, described);
        keep_weights(&term->of.focal_star.class_weights, classes, storage);
    } else {
        closs_binary_cross_entropy *binary = &term->of.binary_cross_entropy;
        described->per_channel = softmax;
        describe_binary(binary, classes, storage, described);
        note_options(binary->divisor, described);
        if (softmax)
            describe_softmax_weights(binary->class_weights, 0, plan->shape.classes, storage, described);
        else
            keep_weights(&binary->class_weights, classes, storage);
    }
    f->logarithms |= !described->by_probability;
    f->errors |= described->by_probability;
    f->target_weights |= described->weight_of == WEIGHT_OF_TARGETS;
    f->factors |= described->weight_of == WEIGHT_OF_FACTORS;
    f->rests |= keeps_rest(described);
    if (softmax) note_softmax_term(f, described);
}

static void lay_out(closs_plan *plan) {
    word_layout *t = &plan->totals;
    t->region = 0;
    t->pointwise = t->region + region_totals_words(plan);
    t->valid = t->pointwise + pointwise_totals_words(plan);
    t->parts = t->valid + 2 * (size_t)plan_groups(plan);
    t->lovasz = t->parts + pointwise_parts_words(plan);
    t->selection = t->lovasz + lovasz_totals_words(plan);
    t->count = t->selection + selection_totals_words(plan);
    word_layout *c = &plan->coefficients;
    c->pointwise = 0;
    c->region = c->pointwise + pointwise_coefficients_words(plan);
    c->lovasz = c->region + region_coefficients_words(plan);
    c->selection = c->lovasz + lovasz_coefficients_words(plan);
    c->count = c->selection + selection_coefficients_words(plan);
}

NOT_INLINED static closs_status create_plan(const closs_spec *spec, closs_plan **plan, closs_error *error) {
    if (!plan) return refuse(error, CLOSS_NULL_POINTER, -1, "plan is NULL");
    *plan = 0; // what a refused creation leaves may be destroyed
    distance_plan maps[MOST_DISTANCE_TERMS];
    closs_status status = check_spec(spec, maps, error);
    if (status != CLOSS_OK) return status;
    closs_plan *made = calloc(1, sizeof *made + storage_floats(spec) * sizeof(float));
    if (!made) return refuse(error, CLOSS_OUT_OF_MEMORY, -1, "no memory for the plan");
    made->shape = spec->shape;
    made->kernels = kernels_for(spec->isa);
    made->threads = parallel_threads(spec->threads);
    made->checks = spec->checks;
    made->by_sample = spec->per_sample != 0;
    made->formula.activation = spec->activation;
    made->formula.classes = (int)spec->shape.classes;
    made->formula.has_ignore_index = spec->has_ignore_index != 0;
    made->formula.ignore_index = spec->ignore_index;
    made->term_count = spec->term_count;
    memcpy(made->terms, spec->terms, spec->term_count * sizeof *spec->terms);
    float *storage = made->storage;
    for (size_t i = 0; i < made->term_count; i++) add_term(made, maps, i, &storage);
    made->formula.class_parts =
        spec->per_class && spec->activation == CLOSS_SOFTMAX && made->formula.pointwise_count > 0;
    lay_out(made);
    made->selection_threads = scratch_selection_threads(made);
    *plan = made;
    return accepted(error);
}

// A term's constants are rounded as the contract says, whatever the caller's environment (arithmetic 1).
closs_status closs_plan_create(const closs_spec *spec, closs_plan **plan, closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status = create_plan(spec, plan, error);
    environment_leave(callers);
    return status;
}

void closs_plan_destroy(closs_plan *plan) { free(plan); }

size_t closs_scratch_bytes(const closs_plan *plan) { return plan ? scratch_bytes(plan) : 0; }

size_t closs_totals_count(const closs_plan *plan) { return plan ? plan->totals.count : 0; }

size_t closs_coefficients_count(const closs_plan *plan) { return plan ? plan->coefficients.count : 0; }

int closs_stage_count(const closs_plan *plan) {
    int staged = plan && plan->selection && plan->selection_scope == CLOSS_PER_BATCH;
    return staged ? selection_stages(plan) : 1;
}

closs_isa closs_plan_isa(const closs_plan *plan) { return plan ? plan->kernels->isa : CLOSS_ISA_BEST; }

int closs_plan_threads(const closs_plan *plan) { return plan ? plan->threads : 0; }

int closs_isa_available(closs_isa isa) { return kernels_for(isa) != 0; }
