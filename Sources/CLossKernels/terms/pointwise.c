#include "terms/pointwise.h"

#include <math.h>

#include "sums/wide.h"
#include "terms/real.h"

static const double LARGEST_LOSS = 0x1p+19; // arithmetic 6.2

// A total's rest stands so many words behind it.
enum { REST = POINTWISE_WORDS, PART_REST = WIDE_WORDS };

static int64_t words_per_row(const closs_plan *plan) {
    return plan->formula.rests ? 2 * POINTWISE_WORDS : POINTWISE_WORDS;
}

static int64_t words_per_part(const closs_plan *plan) { return plan->formula.rests ? 2 * WIDE_WORDS : WIDE_WORDS; }

static int64_t *words_of(const closs_plan *plan, int64_t *totals, int k, int64_t group, int64_t row) {
    int64_t rows = plan_rows_per_sample(plan);
    return totals + plan->totals.pointwise + ((k * plan_groups(plan) + group) * rows + row) * words_per_row(plan);
}

static int64_t *valid_of(const closs_plan *plan, int64_t *totals, int64_t group) {
    return totals + plan->totals.valid + group * WIDE_WORDS;
}

static int64_t *part_of(const closs_plan *plan, int64_t *totals, int k, int64_t c) {
    return totals + plan->totals.parts + (k * plan->shape.classes + c) * words_per_part(plan);
}

// Groups of samples whose totals a term is of: all, or one that is one sample.
typedef struct group_range {
    int64_t first, end;
    int64_t samples; // that they stand for
} group_range;

static group_range all_groups(const closs_plan *plan) {
    return (group_range){0, plan_groups(plan), plan->shape.samples};
}

size_t pointwise_totals_words(const closs_plan *plan) {
    int64_t rows = plan->formula.pointwise_count * plan_groups(plan) * plan_rows_per_sample(plan);
    return (size_t)(rows * words_per_row(plan));
}

size_t pointwise_parts_words(const closs_plan *plan) {
    const formula *f = &plan->formula;
    return f->class_parts ? (size_t)(f->pointwise_count * f->classes * words_per_part(plan)) : 0;
}

// A float as whole quanta, halves to even (arithmetic 6.3).
static int64_t quanta_of(float weight) {
    double anchor = 0x1.8p+20;
    double anchored = (double)weight + anchor;
    int64_t bits, base;
    __builtin_memcpy(&bits, &anchored, sizeof bits);
    __builtin_memcpy(&base, &anchor, sizeof base);
    return bits - base;
}

// The weight of a run without voxel weights, from counts.
static __int128 counted_weight(const closs_plan *plan, const pointwise_formula *term, const run_sums *sums) {
    if (weighs_values(term)) {
        __int128 all = 0;
        for (int64_t c = 0; c < plan->shape.classes; c++)
            all += quanta_of(term->has_class_weights ? term->class_weight[c] : 1);
        return all * sums->valid;
    }
    if (!term->has_class_weights) return wide_from_count(sums->valid, LOSS_QUANTUM);
    __int128 weight = 0;
    for (int64_t c = 0; c < plan->shape.classes; c++)
        weight += (__int128)sums->classes[c].count * quanta_of(term->class_weight[c]);
    return weight;
}

void pointwise_add_losses(const closs_plan *plan, int64_t sample, int64_t row, const run_sums *sums, int64_t *totals) {
    int64_t group = plan->by_sample ? sample : 0;
    for (int k = 0; k < plan->formula.pointwise_count; k++)
        wide_add_shared(words_of(plan, totals, k, group, row) + POINTWISE_LOSS, sums->loss[k]);
}

void pointwise_add(const closs_plan *plan, int64_t sample, int64_t row, int with_weights, const run_sums *sums,
                   int64_t *totals) {
    int64_t group = plan->by_sample ? sample : 0;
    pointwise_add_losses(plan, sample, row, sums, totals);
    for (int k = 0; k < plan->formula.pointwise_count; k++) {
        int64_t *words = words_of(plan, totals, k, group, row);
        const pointwise_formula *term = &plan->formula.pointwise[k];
        int softmax = plan->formula.activation == CLOSS_SOFTMAX;
        int summed =
            with_weights || (softmax ? sums->soft && !weighs_values(term) : term->weight_of != WEIGHT_OF_VALUES);
        wide_add_shared(words + POINTWISE_WEIGHT, summed ? sums->weight[k] : counted_weight(plan, term, sums));
        if (!plan->formula.rests) continue;
        wide_add_shared(words + POINTWISE_LOSS + REST, sums->loss_rest[k]);
        wide_add_shared(words + POINTWISE_WEIGHT + REST, sums->weight_rest[k]);
    }
    wide_add_shared(valid_of(plan, totals, group), sums->valid);
    for (int k = 0; plan->formula.class_parts && k < plan->formula.pointwise_count; k++)
        for (int64_t c = 0; c < plan->shape.classes; c++) {
            int64_t *part = part_of(plan, totals, k, c);
            wide_add_shared(part, sums->classes[c].loss[k]);
            if (keeps_rest(&plan->formula.pointwise[k]))
                wide_add_shared(part + PART_REST, sums->classes[c].loss_rest[k]);
        }
}

static void divisor_of(const closs_term *term, closs_divisor *divisor, double *value) {
    switch (term->kind) {
    case CLOSS_CROSS_ENTROPY:
        *divisor = term->of.cross_entropy.divisor;
        *value = term->of.cross_entropy.divisor_value;
        break;
    case CLOSS_FOCAL:
        *divisor = term->of.focal.divisor;
        *value = term->of.focal.divisor_value;
        break;
    case CLOSS_ABSOLUTE_ERROR:
    case CLOSS_SMOOTH_L1:
    case CLOSS_SQUARED_ERROR:
        *divisor = term->of.probability_error.divisor;
        *value = term->of.probability_error.divisor_value;
        break;
    case CLOSS_FOCAL_STAR:
        *divisor = term->of.focal_star.divisor;
        *value = term->of.focal_star.divisor_value;
        break;
    case CLOSS_BOUNDARY:
    case CLOSS_HAUSDORFF:
        *divisor = term->of.distance.divisor;
        *value = term->of.distance.divisor_value;
        break;
    case CLOSS_LINEAR_MAP:
        *divisor = term->of.linear_map.divisor;
        *value = term->of.linear_map.divisor_value;
        break;
    default:
        *divisor = term->of.binary_cross_entropy.divisor;
        *value = term->of.binary_cross_entropy.divisor_value;
        break;
    }
}

// The factors of a term's rows, which wait for the finish; NULL: all 1.
static const float *row_weights(const closs_plan *plan, size_t i) {
    const closs_term *term = &plan->terms[i];
    if (plan->formula.activation == CLOSS_SOFTMAX) return 0; // there they are the voxels' own
    switch (term->kind) {
    case CLOSS_CROSS_ENTROPY: return 0;
    case CLOSS_FOCAL: return term->of.focal.class_weights;
    case CLOSS_FOCAL_STAR: return term->of.focal_star.class_weights;
    case CLOSS_BINARY_CROSS_ENTROPY: return term->of.binary_cross_entropy.class_weights;
    case CLOSS_LINEAR_MAP: return term->of.linear_map.class_weights;
    case CLOSS_BOUNDARY:
    case CLOSS_HAUSDORFF: return term->of.distance.class_weights;
    default: return term->of.probability_error.class_weights;
    }
}

// One of a row's totals, over the groups.
static __int128 row_total(const closs_plan *plan, int k, const int64_t *totals, group_range groups, int64_t row,
                          int word) {
    __int128 total = 0;
    for (int64_t group = groups.first; group < groups.end; group++)
        total += wide_value(words_of(plan, (int64_t *)totals, k, group, row) + word);
    return total;
}

static __int128 valid_total(const closs_plan *plan, const int64_t *totals, group_range groups) {
    __int128 valid = 0;
    for (int64_t group = groups.first; group < groups.end; group++)
        valid += wide_value(valid_of(plan, (int64_t *)totals, group));
    return valid;
}

// A total of losses or weights and what rounding left of it, where that is kept.
typedef struct kept_total {
    __int128 rounded, rest;
} kept_total;

static kept_total kept_row_total(const closs_plan *plan, int k, const int64_t *totals, group_range groups, int64_t row,
                                 int word) {
    kept_total total = {row_total(plan, k, totals, groups, row, word), 0};
    if (plan->formula.rests) total.rest = row_total(plan, k, totals, groups, row, word + REST);
    return total;
}

static double kept_double(kept_total total) {
    return wide_double(total.rounded, LOSS_QUANTUM) + wide_double(total.rest, REST_QUANTUM);
}

// A sum over the rows of one of their totals: exact where no row has a factor.
static double sum_of_rows(const closs_plan *plan, size_t term, const int64_t *totals, group_range groups, int word) {
    const float *weights = row_weights(plan, term);
    kept_total exact = {0, 0};
    double weighted = 0;
    for (int64_t row = 0; row < plan_rows_per_sample(plan); row++) {
        kept_total total = kept_row_total(plan, plan->pointwise_index[term], totals, groups, row, word);
        exact.rounded += total.rounded;
        exact.rest += total.rest;
        if (weights) weighted += weights[row] * kept_double(total);
    }
    return weights ? weighted : kept_double(exact);
}

// `*moves`: set where the divisor depends on the input.
static double divide_by(const closs_plan *plan, size_t term, const int64_t *totals, group_range groups, int *moves) {
    closs_divisor divisor;
    *moves = 0;
    const pointwise_formula *f = &plan->formula.pointwise[plan->pointwise_index[term]];
    double constant, scale = f->weight_scale;
    // A per-channel term of a softmax has as many values at a voxel as there are classes.
    int64_t values = f->per_channel ? plan->shape.classes : 1;
    divisor_of(&plan->terms[term], &divisor, &constant);
    switch (divisor) {
    case CLOSS_DIVIDE_BY_WEIGHT:
    case CLOSS_DIVIDE_BY_TARGET:
        return sum_of_rows(plan, term, totals, groups, POINTWISE_WEIGHT); // scaled like the loss
    case CLOSS_DIVIDE_BY_FACTORS: {
        double sum = sum_of_rows(plan, term, totals, groups, POINTWISE_WEIGHT);
        *moves = sum > constant;
        return *moves ? sum : constant;
    }
    case CLOSS_DIVIDE_BY_VALID: return wide_double(valid_total(plan, totals, groups) * values, COUNT_QUANTUM) / scale;
    case CLOSS_DIVIDE_BY_ALL:
        return (double)(groups.samples * plan->shape.voxels * plan_rows_per_sample(plan) * values) / scale;
    default: return constant / scale;
    }
}

size_t pointwise_coefficient(const closs_plan *plan, int k, int64_t row) {
    return plan->coefficients.pointwise + (size_t)(k * plan_rows_per_sample(plan) + row);
}

// What each class of a softmax adds.
static void finish_parts(const closs_plan *plan, int k, const int64_t *totals, double divisor, double *per_class) {
    const double scale = plan->formula.pointwise[k].map_scale;
    for (int64_t c = 0; plan->formula.class_parts && c < plan->shape.classes; c++) {
        const int64_t *words = part_of(plan, (int64_t *)totals, k, c);
        kept_total part = {wide_value(words), plan->formula.rests ? wide_value(words + PART_REST) : 0};
        per_class[c] = divisor > 0 ? scale * kept_double(part) / divisor : 0;
    }
}

size_t pointwise_coefficients_words(const closs_plan *plan) {
    size_t words = pointwise_coefficient(plan, plan->formula.pointwise_count, 0) - plan->coefficients.pointwise;
    return plan->formula.factors ? 2 * words : words;
}

size_t pointwise_factor_coefficient(const closs_plan *plan, int k, int64_t row) {
    return pointwise_coefficient(plan, plan->formula.pointwise_count + k, row);
}

double pointwise_finish(const closs_plan *plan, size_t term, const int64_t *totals, int64_t *coefficients,
                        double *per_class) {
    int k = plan->pointwise_index[term];
    const float *weights = row_weights(plan, term);
    group_range groups = all_groups(plan);
    int moves;
    const pointwise_formula *f = &plan->formula.pointwise[k];
    double loss = f->map_scale * sum_of_rows(plan, term, totals, groups, POINTWISE_LOSS);
    double divisor = divide_by(plan, term, totals, groups, &moves);
    double value = divisor > 0 ? loss / divisor : 0, bend = 1;
    if (f->logarithm) {
        bend = 1 + value;
        value = real_log_plus_one(value);
    }
    for (int64_t row = 0; row < plan_rows_per_sample(plan); row++) {
        double weight = weights ? weights[row] : 1;
        if (coefficients)
            store_double(&coefficients[pointwise_coefficient(plan, k, row)],
                         divisor > 0 ? f->map_scale * (plan->terms[term].weight * weight / divisor) / bend : 0);
        if (coefficients && moves)
            store_double(&coefficients[pointwise_factor_coefficient(plan, k, row)],
                         -(plan->terms[term].weight * weight * value / divisor));
        if (!per_class || plan->formula.activation == CLOSS_SOFTMAX) continue;
        double part = kept_double(kept_row_total(plan, k, totals, groups, row, POINTWISE_LOSS));
        per_class[row] = divisor > 0 ? f->map_scale * (weight * part) / divisor : 0;
    }
    if (per_class && plan->formula.activation == CLOSS_SOFTMAX) finish_parts(plan, k, totals, divisor, per_class);
    return value;
}

double pointwise_sample_value(const closs_plan *plan, size_t term, const int64_t *totals, int64_t sample) {
    group_range alone = {sample, sample + 1, 1};
    int moves;
    double divisor = divide_by(plan, term, totals, alone, &moves);
    const pointwise_formula *f = &plan->formula.pointwise[plan->pointwise_index[term]];
    double value = divisor > 0 ? f->map_scale * sum_of_rows(plan, term, totals, alone, POINTWISE_LOSS) / divisor : 0;
    return f->logarithm ? real_log_plus_one(value) : value;
}

int pointwise_divisors_known(const closs_plan *plan, const closs_batch *batch) {
    int all_count = !batch->mask && !plan->formula.has_ignore_index;
    for (size_t i = 0; i < plan->term_count; i++) {
        closs_divisor divisor;
        double constant;
        divisor_of(&plan->terms[i], &divisor, &constant);
        int dense = plan->formula.activation == CLOSS_SOFTMAX && target_is_dense(batch->target);
        int weighted = batch->weights || dense || plan->formula.pointwise[plan->pointwise_index[i]].has_class_weights;
        if (divisor == CLOSS_DIVIDE_BY_WEIGHT && (weighted || !all_count)) return 0;
        if (divisor == CLOSS_DIVIDE_BY_VALID && !all_count) return 0;
        if (divisor == CLOSS_DIVIDE_BY_TARGET || divisor == CLOSS_DIVIDE_BY_FACTORS) return 0;
    }
    return 1;
}

void pointwise_add_known(const closs_plan *plan, int64_t *totals) {
    int64_t rows = plan_rows_per_sample(plan), groups = plan_groups(plan);
    run_sums sums = {.valid = plan->shape.samples / groups * plan->shape.voxels};
    for (int64_t i = 0; i < groups * rows; i++) {
        int64_t group = i / rows, row = i % rows;
        for (int k = 0; k < plan->formula.pointwise_count; k++) {
            const pointwise_formula *term = &plan->formula.pointwise[k];
            wide_add_shared(words_of(plan, totals, k, group, row) + POINTWISE_WEIGHT,
                            term->per_channel ? counted_weight(plan, term, &sums)
                                              : wide_from_count(sums.valid, LOSS_QUANTUM));
        }
        wide_add_shared(valid_of(plan, totals, group), sums.valid);
    }
}

// The largest that a focal loss of channels puts before its cross entropy.
static double largest_balance(const closs_plan *plan, const pointwise_formula *term) {
    float largest = 1;
    for (int64_t c = 0; term->class_alpha && c < plan->shape.classes; c++)
        if (term->class_alpha[c] > largest) largest = term->class_alpha[c];
    return largest * term->largest_modulation;
}

// The largest factor that a term puts before a negative log-likelihood, of a voxel's all values.
static double largest_factor(const closs_plan *plan, const pointwise_formula *term) {
    double largest = 1;
    if (is_error(term->kind)) return term->per_channel ? 2.0 * term->class_weight_sum + 1 : 1;
    if (term->kind == CLOSS_FOCAL_STAR) {
        double shift = term->shift < 0 ? -term->shift : term->shift;
        return 1 + (shift + 1) / term->gamma;
    }
    if (term->per_channel) largest = 2.0 * term->class_weight_sum + 1;
    if (term->kind == CLOSS_FOCAL && (!term->target_factor || term->per_channel))
        return largest * largest_balance(plan, term);
    if (term->plain) return largest;
    const float *factors = term->kind == CLOSS_BINARY_CROSS_ENTROPY ? term->positive_weight : term->target_factor;
    if (term->per_channel) {
        for (int64_t c = 0; c < plan->shape.classes; c++) largest += 2.0 * factors[c];
        return largest;
    }
    for (int64_t c = 0; c < plan->shape.classes; c++)
        if (factors[c] > largest) largest = factors[c];
    return largest + (double)term->smoothing * term->class_weight_sum;
}

double pointwise_loss_bound(const closs_plan *plan, float largest_logit, float largest_weight, float largest_map) {
    double log_likelihood = plan->formula.activation == CLOSS_PROBABILITIES ? 100 : 2.0 * largest_logit + 8;
    double bound = 0, mapped = 0;
    for (int k = 0; k < plan->formula.pointwise_count; k++) {
        const pointwise_formula *term = &plan->formula.pointwise[k];
        double factor = largest_factor(plan, term);
        double map = term->distances ? LARGEST_DISTANCE : term->kind == CLOSS_LINEAR_MAP ? largest_map : 0;
        if (factor * map > mapped) mapped = factor * map;
        // The power of an exponent above 1 is not worth a bound: every loss will be looked at.
        if (term->has_exponent && term->exponent > 1) factor = 0x1p100;
        if (factor > bound) bound = factor;
        // The negatives have no weight then.
        if (term->weighs_positives && largest_weight < 1) largest_weight = 1;
    }
    double likely = bound * log_likelihood, largest = likely > mapped ? likely : mapped;
    // What is infinite as a float is no number times a weight of 0.
    return largest < 0x1p120 ? largest * largest_weight : INFINITY;
}

// ------------------------------------------------------------------------------------------------------- maps ----

// The factor of a term's losses at a row: what they were divided by, the row's weight and, in a sum, the term's own.
static float map_factor(const closs_plan *plan, size_t term, int sum, int64_t row) {
    const float *weights = row_weights(plan, term);
    const pointwise_formula *f = &plan->formula.pointwise[plan->pointwise_index[term]];
    double own = f->map_scale * (f->weight_scale * (weights ? weights[row] : 1));
    return (float)(sum ? plan->terms[term].weight * own : own);
}

loss_map_factors pointwise_map_factors(const closs_plan *plan, int term, int64_t row) {
    loss_map_factors m = {.only = term < 0 ? -1 : plan->pointwise_index[term]};
    for (size_t i = 0; i < plan->term_count; i++)
        if (plan->pointwise_index[i] >= 0) m.factor[plan->pointwise_index[i]] = map_factor(plan, i, term < 0, row);
    return m;
}

double pointwise_map_bound(const closs_plan *plan, int term, float largest_weight, float largest_map) {
    double largest = 0;
    for (int64_t row = 0; row < plan_rows_per_sample(plan); row++) {
        double bound = 0;
        for (size_t i = 0; i < plan->term_count; i++) {
            int k = plan->pointwise_index[i];
            if (k < 0 || (term >= 0 && (size_t)term != i)) continue;
            // Sums of losses below 2^19 are exact; those of linear terms may be larger where they cancel.
            const pointwise_formula *f = &plan->formula.pointwise[k];
            double loss = LARGEST_LOSS, map = f->distances ? LARGEST_DISTANCE : largest_map;
            if (is_signed(f->kind)) loss += map * largest_weight * largest_factor(plan, f);
            double factor = map_factor(plan, i, term < 0, row);
            bound += (factor < 0 ? -factor : factor) * loss;
        }
        if (!(bound <= largest)) largest = bound;
    }
    return largest;
}
