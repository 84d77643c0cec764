#include "terms/region.h"

#include "sums/wide.h"
#include "terms/overlap.h"
#include "terms/real.h"

#pragma STDC FP_CONTRACT OFF

enum { SUM_PRODUCT, SUM_PREDICTION, SUM_SQUARE, SUM_TARGET, SUM_TARGET_SQUARE, SUM_MINIMUM, SUM_VALID, SUM_COUNT };

_Static_assert((int)SUM_COUNT *(int)WIDE_WORDS == (int)REGION_WORDS, "every sum has its words");

// ----------------------------------------------------------------------------------------------------- totals ----

// Weighted sums are not bounded by the number of voxels: they have the losses' coarser quantum (arithmetic 6.2).
static int quantum_of(const closs_plan *plan) { return plan->formula.weighted ? LOSS_QUANTUM : PROBABILITY_QUANTUM; }

static int64_t sum_count(const closs_plan *plan) { return plan->shape.samples * plan->shape.classes; }

size_t region_totals_words(const closs_plan *plan) {
    return plan->formula.region ? (size_t)sum_count(plan) * REGION_WORDS : 0;
}

size_t region_coefficients_words(const closs_plan *plan) {
    return plan->formula.region ? (size_t)sum_count(plan) * REGION_COEFFICIENTS : 0;
}

void region_add(const closs_plan *plan, int64_t sample, int64_t first_class, int64_t class_count, closs_target target,
                const run_sums *sums, int64_t *totals) {
    const formula *f = &plan->formula;
    int soft = target == CLOSS_DENSE_F32, quantum = quantum_of(plan);
    int64_t *words = totals + plan->totals.region + (sample * plan->shape.classes + first_class) * REGION_WORDS;
    for (int64_t c = 0; c < class_count; c++, words += REGION_WORDS) {
        const class_sums *s = &sums->classes[c];
        __int128 labels = wide_from_count(s->count, quantum);
        if (f->weighted && !soft) labels = s->target;
        wide_add_shared(words + SUM_PRODUCT * WIDE_WORDS, s->product);
        wide_add_shared(words + SUM_PREDICTION * WIDE_WORDS, s->probability);
        wide_add_shared(words + SUM_TARGET * WIDE_WORDS, soft ? s->target : labels);
        if (f->squares) {
            wide_add_shared(words + SUM_SQUARE * WIDE_WORDS, s->square);
            wide_add_shared(words + SUM_TARGET_SQUARE * WIDE_WORDS, soft ? s->target_square : labels);
        }
        if (f->minimum) wide_add_shared(words + SUM_MINIMUM * WIDE_WORDS, soft ? s->minimum : s->product);
        if (f->valid_sums)
            wide_add_shared(words + SUM_VALID * WIDE_WORDS,
                            f->weighted ? s->valid : wide_from_count(sums->valid, quantum));
    }
}

// ------------------------------------------------------------------------------------------------------ sums ----

// Samples whose sums a formula is applied to together, as one of so many groups.
typedef struct sample_group {
    int64_t first, end;
    double groups;
} sample_group;

static overlap_sums sums_of(const closs_plan *plan, const closs_region *term, const int64_t *totals,
                            const sample_group *group, int64_t class) {
    __int128 wide[SUM_COUNT] = {0};
    for (int64_t s = group->first; s < group->end; s++)
        for (int i = 0; i < SUM_COUNT; i++)
            wide[i] += wide_value(totals + plan->totals.region + (s * plan->shape.classes + class) * REGION_WORDS +
                                  i * WIDE_WORDS);
    double value[SUM_COUNT];
    for (int i = 0; i < SUM_COUNT; i++) value[i] = wide_double(wide[i], quantum_of(plan));
    return (overlap_sums){
        .product = value[term->product == CLOSS_MINIMUM ? SUM_MINIMUM : SUM_PRODUCT],
        .prediction = value[SUM_PREDICTION],
        .square = value[SUM_SQUARE],
        .target = value[SUM_TARGET],
        .target_square = value[SUM_TARGET_SQUARE],
        .valid = value[SUM_VALID],
    };
}

static double class_weight(const closs_region *term, int64_t class) {
    return term->class_weights ? term->class_weights[class] : 1;
}

// ------------------------------------------------------------------------------------------------------ losses ----

// A loss and its derivatives by the sums.
typedef struct class_loss {
    double loss;
    double by_product, by_prediction, by_square;
} class_loss;

// Arithmetic 7.2.3: what is made of a score, and the derivative of that.
static double loss_of_score(const closs_region *term, double score, double *slope) {
    switch (term->value) {
    case CLOSS_MINUS_SCORE: *slope = -1; return -score;
    case CLOSS_MINUS_LOG_SCORE: {
        double least = term->least_score > REAL_SMALLEST ? term->least_score : REAL_SMALLEST;
        *slope = score < least ? 0 : -1 / score;
        return -real_log(score < least ? least : score);
    }
    case CLOSS_LOG_COSH: {
        double x = 1 - score, size = x < 0 ? -x : x, e = real_exp(-2 * size), tanh = (1 - e) / (1 + e);
        *slope = x < 0 ? tanh : -tanh;
        return real_log_cosh(size);
    }
    default: *slope = -1; return 1 - score;
    }
}

// loss^exponent where the loss is above 0; nothing elsewhere.
static double raised(double loss, double exponent, double *slope) {
    *slope = 1;
    if (exponent == 0 || exponent == 1) return loss;
    if (!(loss >= REAL_SMALLEST)) {
        *slope = 0;
        return 0;
    }
    double power = real_power(loss, exponent);
    *slope = exponent * (power / loss);
    return power;
}

static class_loss loss_of_sums(const closs_term *weighted, const overlap_sums *sums, double exponent) {
    const closs_region *term = &weighted->of.region;
    overlap_score score = overlap(weighted->kind, term, sums);
    double by_score, by_loss;
    double loss = raised(loss_of_score(term, score.score, &by_score), exponent, &by_loss);
    double slope = by_loss * by_score;
    return (class_loss){loss, slope * score.by_product, slope * score.by_prediction, slope * score.by_square};
}

// Arithmetic 7.2.4. Not 0 where the sums are of an absent class and the term has a rule for that.
static int is_absent(const closs_region *term, const overlap_sums *sums, class_loss *loss) {
    if (term->absent == CLOSS_ABSENT_NATURAL || sums->target > 0) return 0;
    *loss = (class_loss){.loss = term->absent == CLOSS_ABSENT_ONE ? 1 : 0};
    return 1;
}

// ------------------------------------------------------------------------------------------------ coefficients ----

static void add_double(int64_t *word, double value) { store_double(word, load_double(word) + value); }

// Adds `factor` times the derivatives of a class's loss to the coefficients of a group's samples.
static void add_coefficients(const closs_plan *plan, const closs_region *term, const sample_group *group, int64_t class,
                             const class_loss *loss, double factor, int64_t *coefficients) {
    for (int64_t s = group->first; coefficients && s < group->end; s++) {
        int64_t *words =
            coefficients + plan->coefficients.region + (s * plan->shape.classes + class) * REGION_COEFFICIENTS;
        int product = term->product == CLOSS_MINIMUM ? COEFFICIENT_M : COEFFICIENT_A;
        add_double(&words[product], factor * loss->by_product);
        add_double(&words[COEFFICIENT_B], factor * loss->by_prediction);
        add_double(&words[COEFFICIENT_Q], factor * (2 * loss->by_square));
    }
}

// ----------------------------------------------------------------------------------------------------- classes ----

static double exponent_of_class(const closs_region *term, int64_t class) {
    if (term->class_exponents) return term->class_exponents[class];
    return term->exponent_of == CLOSS_EXPONENT_OF_MEAN ? 0 : term->exponent;
}

// Each class by itself, then their mean (7.2.5).
static double mean_of_classes(const closs_plan *plan, const closs_term *weighted, const int64_t *totals,
                              const sample_group *group, int64_t *coefficients, double *per_class) {
    const closs_region *term = &weighted->of.region;
    class_loss losses[CLOSS_MAX_CLASSES];
    double sum = 0, divisor = 0;
    for (int64_t c = 0; c < plan->shape.classes; c++) {
        losses[c] = (class_loss){0};
        if (!region_takes_part(term, c)) continue;
        overlap_sums sums = sums_of(plan, term, totals, group, c);
        int absent = is_absent(term, &sums, &losses[c]);
        if (absent && term->absent == CLOSS_ABSENT_SKIPPED) continue;
        if (!absent) losses[c] = loss_of_sums(weighted, &sums, exponent_of_class(term, c));
        sum += class_weight(term, c) * losses[c].loss;
        divisor += term->weighting == CLOSS_WEIGHTS_NORMALIZED ? class_weight(term, c) : 1;
        if (per_class) per_class[c] += losses[c].loss;
    }
    if (!(divisor > 0)) return 0;
    double by_mean,
        mean = raised(sum / divisor, term->exponent_of == CLOSS_EXPONENT_OF_MEAN ? term->exponent : 0, &by_mean);
    double factor = (weighted->weight * by_mean) / (group->groups * divisor);
    for (int64_t c = 0; c < plan->shape.classes; c++)
        add_coefficients(plan, term, group, c, &losses[c], factor * class_weight(term, c), coefficients);
    return mean;
}

// ------------------------------------------------------------------------------------------------------ pooled ----

// 1 / (G^k + offset), no larger than the most (7.2.6); infinite where a class is absent without an offset.
static double volume_weight(const closs_region *term, double volume) {
    if (term->volume_weighting == CLOSS_VOLUME_UNIFORM) return 1;
    double power = term->volume_weighting == CLOSS_VOLUME_SQUARE ? volume * volume : volume;
    double weight = 1 / (power + term->volume_offset);
    return term->most_volume_weight > 0 && weight > term->most_volume_weight ? term->most_volume_weight : weight;
}

// The weights of the classes within pooled sums. An infinite one becomes the largest of the others.
// Gives back 0 where every class is absent and nothing says what that weighs.
static int pooled_weights(const closs_plan *plan, const closs_term *weighted, const overlap_sums *sums,
                          double *weights) {
    const closs_region *term = &weighted->of.region;
    double largest = 0;
    for (int64_t c = 0; c < plan->shape.classes; c++) {
        weights[c] = region_takes_part(term, c) ? volume_weight(term, sums[c].target) : 0;
        if (__builtin_isfinite(weights[c]) && weights[c] > largest) largest = weights[c];
    }
    for (int64_t c = 0; c < plan->shape.classes; c++) {
        if (!__builtin_isfinite(weights[c])) weights[c] = largest;
        weights[c] *= class_weight(term, c);
    }
    return largest > 0;
}

static void add_pooled(overlap_sums *pool, const overlap_sums *sums, double weight) {
    pool->product += weight * sums->product;
    pool->prediction += weight * sums->prediction;
    pool->square += weight * sums->square;
    pool->target += weight * sums->target;
    pool->target_square += weight * sums->target_square;
    pool->valid += weight * sums->valid;
}

// All classes together, as if they were one.
static double pool_of_classes(const closs_plan *plan, const closs_term *weighted, const int64_t *totals,
                              const sample_group *group, int64_t *coefficients) {
    const closs_region *term = &weighted->of.region;
    overlap_sums sums[CLOSS_MAX_CLASSES], pool = {0};
    double weights[CLOSS_MAX_CLASSES];
    for (int64_t c = 0; c < plan->shape.classes; c++) sums[c] = sums_of(plan, term, totals, group, c);
    if (!pooled_weights(plan, weighted, sums, weights)) return 0;
    for (int64_t c = 0; c < plan->shape.classes; c++) add_pooled(&pool, &sums[c], weights[c]);
    class_loss loss;
    if (!is_absent(term, &pool, &loss)) loss = loss_of_sums(weighted, &pool, term->exponent);
    for (int64_t c = 0; c < plan->shape.classes; c++)
        add_coefficients(plan, term, group, c, &loss, (weighted->weight / group->groups) * weights[c], coefficients);
    return loss.loss;
}

// ----------------------------------------------------------------------------------------------------- finish ----

static int is_pooled(const closs_region *term) {
    return term->scope == CLOSS_PER_SAMPLE_POOLED || term->scope == CLOSS_PER_BATCH_POOLED;
}

static double group_value(const closs_plan *plan, const closs_term *term, const int64_t *totals,
                          const sample_group *group, int64_t *coefficients, double *per_class) {
    if (is_pooled(&term->of.region)) return pool_of_classes(plan, term, totals, group, coefficients);
    return mean_of_classes(plan, term, totals, group, coefficients, per_class);
}

double region_finish(const closs_plan *plan, const closs_term *term, const int64_t *totals, int64_t *coefficients,
                     double *per_class) {
    closs_scope scope = term->of.region.scope;
    int whole = scope == CLOSS_PER_BATCH || scope == CLOSS_PER_BATCH_POOLED;
    int64_t samples = plan->shape.samples, step = whole ? samples : 1;
    double groups = (double)(samples / step), value = 0;
    for (int64_t s = 0; s < samples; s += step) {
        sample_group group = {s, s + step, groups};
        value += group_value(plan, term, totals, &group, coefficients, per_class);
    }
    for (int64_t c = 0; per_class && c < plan->shape.classes; c++) per_class[c] /= groups;
    return value / groups;
}

double region_sample_value(const closs_plan *plan, const closs_term *term, const int64_t *totals, int64_t sample) {
    sample_group alone = {sample, sample + 1, 1};
    return 0 + group_value(plan, term, totals, &alone, 0, 0); // a sum of one group: never -0
}

// No -0: with it T g + B (1 - g) would be another zero as a sum than as a choice between T and B.
static float scaled_slope(double slope, float scale) { return (float)slope * scale + 0.0f; }

void region_scaled_slopes(const closs_plan *plan, const int64_t *coefficients, int64_t sample, int64_t first_class,
                          int64_t count, int hard, float scale, float *scaled) {
    const int64_t *words =
        coefficients + plan->coefficients.region + (sample * plan->shape.classes + first_class) * REGION_COEFFICIENTS;
    for (int64_t c = 0; c < count; c++, words += REGION_COEFFICIENTS) {
        double other = load_double(&words[COEFFICIENT_B]), square = load_double(&words[COEFFICIENT_Q]);
        double minimum = load_double(&words[COEFFICIENT_M]);
        // Rounded only once added up: of a class that fills the image, next to nothing is left of A + B.
        double target = load_double(&words[COEFFICIENT_A]) + other + square;
        scaled[SLOPE_TARGET * count + c] = scaled_slope(hard ? target + minimum : target, scale);
        scaled[SLOPE_OTHER * count + c] = scaled_slope(other, scale);
        scaled[SLOPE_TARGET_BELOW * count + c] = scaled_slope(target + minimum, scale);
        scaled[SLOPE_OTHER_BELOW * count + c] = scaled_slope(other + minimum, scale);
        scaled[SLOPE_SQUARE * count + c] = scaled_slope(square, scale);
    }
}
