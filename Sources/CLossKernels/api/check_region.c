#include <math.h>

#include "api/check_spec.h"
#include "terms/overlap.h"

// Their product of four is far from overflow.
#define MOST_MATTHEWS_SMOOTHING 1e30

static int is_pooled(const closs_region *t) {
    return t->scope == CLOSS_PER_SAMPLE_POOLED || t->scope == CLOSS_PER_BATCH_POOLED;
}

static closs_status check_numbers(const closs_region *t, int64_t i, closs_error *error) {
    const struct {
        double value, most;
        const char *name;
    } numbers[] = {
        {t->smooth_numerator, INFINITY, "smooth_numerator"},
        {t->smooth_denominator, INFINITY, "smooth_denominator"},
        {t->least_denominator, INFINITY, "least_denominator"},
        {t->least_intersection, INFINITY, "least_intersection"},
        {t->least_score, 1, "least_score"},
        {t->exponent, INFINITY, "exponent"},
        {t->alpha, INFINITY, "alpha"},
        {t->beta, INFINITY, "beta"},
        {t->smooth_counts, MOST_MATTHEWS_SMOOTHING, "smooth_counts"},
        {t->smooth_product, MOST_MATTHEWS_SMOOTHING, "smooth_product"},
        {t->volume_offset, INFINITY, "volume_offset"},
        {t->most_volume_weight, INFINITY, "most_volume_weight"},
    };
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
        closs_status status = check_number(numbers[n].value, 0, numbers[n].most, i, numbers[n].name, error);
        if (status != CLOSS_OK) return status;
    }
    return CLOSS_OK;
}

static closs_status check_choices(const closs_region *t, int64_t i, closs_error *error) {
    const struct {
        unsigned value, most;
        const char *name, *type;
    } choices[] = {
        {(unsigned)t->denominator, CLOSS_SQUARED, "denominator", "closs_denominator"},
        {(unsigned)t->scope, CLOSS_PER_BATCH_POOLED, "scope", "closs_scope"},
        {(unsigned)t->product, CLOSS_MINIMUM, "product", "closs_product"},
        {(unsigned)t->value, CLOSS_LOG_COSH, "value", "closs_region_value"},
        {(unsigned)t->exponent_of, CLOSS_EXPONENT_OF_MEAN, "exponent_of", "closs_exponent_of"},
        {(unsigned)t->absent, CLOSS_ABSENT_ONE, "absent", "closs_absent"},
        {(unsigned)t->weighting, CLOSS_WEIGHTS_INSIDE, "weighting", "closs_weighting"},
        {(unsigned)t->volume_weighting, CLOSS_VOLUME_SQUARE, "volume_weighting", "closs_volume_weighting"},
    };
    for (size_t n = 0; n < sizeof choices / sizeof *choices; n++)
        if (choices[n].value > choices[n].most)
            return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].%s is %d: expected a %s", (long long)i,
                          choices[n].name, (int)choices[n].value, choices[n].type);
    return CLOSS_OK;
}

// Which classes take part, and their weights and exponents.
static closs_status check_classes(const closs_spec *spec, const closs_region *t, int64_t i, closs_error *error) {
    int64_t classes = spec->shape.classes;
    if (t->exclude_background && classes < 2)
        return refuse(error, CLOSS_BAD_OPTION, i,
                      "terms[%lld].exclude_background leaves no class: expected 2 classes or more", (long long)i);
    closs_status status = check_named_classes(t->classes, classes, i, error);
    if (status == CLOSS_OK)
        status = check_weights(t->class_weights, t->class_weights_count, classes, 0, i, "class_weights", 1, error);
    if (status == CLOSS_OK)
        status =
            check_weights(t->class_exponents, t->class_exponents_count, classes, 0, i, "class_exponents", 1, error);
    if (status != CLOSS_OK) return status;
    int some = 0, weight = 0;
    for (int64_t c = 0; c < classes; c++) {
        int here = region_takes_part(t, c);
        some |= here;
        weight |= here && (!t->class_weights || t->class_weights[c] > 0);
    }
    if (!some)
        return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].classes leaves no class: expected one at least",
                      (long long)i);
    if (!weight)
        return refuse(error, CLOSS_BAD_OPTION, i,
                      "terms[%lld].class_weights is 0 for every class that takes part: expected one above 0",
                      (long long)i);
    return CLOSS_OK;
}

// Options that belong to some kinds or scopes only.
static closs_status check_combination(closs_term_kind kind, const closs_region *t, int64_t i, closs_error *error) {
    int pooled = is_pooled(t);
    const char *wrong = 0;
    if (kind == CLOSS_GENERALIZED_DICE && !pooled) wrong = "a generalized Dice has a pooled scope";
    if (kind != CLOSS_GENERALIZED_DICE && t->volume_weighting != CLOSS_VOLUME_UNIFORM)
        wrong = "volume_weighting is for a generalized Dice";
    if (pooled && t->class_weights && t->weighting != CLOSS_WEIGHTS_INSIDE)
        wrong = "class weights are multiplied or normalized: in a pooled scope expected them inside the sums";
    if (!pooled && t->weighting == CLOSS_WEIGHTS_INSIDE) wrong = "class weights inside the sums need a pooled scope";
    if (pooled && t->class_exponents) wrong = "class_exponents are not for a pooled scope";
    if (t->least_intersection > 0 && !overlap_has(kind, HAS_LEAST_INTERSECTION))
        wrong = "this kind of term has no least_intersection";
    if (t->least_denominator > 0 && !overlap_has(kind, HAS_LEAST_DENOMINATOR))
        wrong = "this kind of term has no least_denominator";
    if (t->denominator == CLOSS_SQUARED && !overlap_has(kind, HAS_SQUARED_DENOMINATOR))
        wrong = "this kind of term has no squared denominator";
    if (kind == CLOSS_TVERSKY && t->alpha + t->beta == 0 && t->smooth_denominator == 0)
        wrong = "alpha, beta and smooth_denominator are all 0, which makes every score 1";
    if (kind == CLOSS_LEAKY_DICE && t->alpha + t->beta == 0)
        wrong = "alpha and beta are both 0, which makes every score 1";
    if (t->value == CLOSS_MINUS_SCORE && (t->class_exponents || (t->exponent != 0 && t->exponent != 1)))
        wrong = "the value is minus the score, below 0: expected no exponent";
    if (!wrong) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld]: %s", (long long)i, wrong);
}

// Sums are weighted or not, for all region terms.
static closs_status check_agreement(const closs_spec *spec, int64_t i, closs_error *error) {
    for (int64_t j = 0; j < i; j++)
        if (is_region(spec->terms[j].kind) && !spec->terms[j].of.region.weighted != !spec->terms[i].of.region.weighted)
            return refuse(error, CLOSS_BAD_TERM, i,
                          "terms[%lld].weighted is unlike that of terms[%lld]: expected the same of all region terms",
                          (long long)i, (long long)j);
    return CLOSS_OK;
}

closs_status check_region(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_region *t = &spec->terms[i].of.region;
    closs_status status = check_numbers(t, i, error);
    if (status == CLOSS_OK) status = check_choices(t, i, error);
    if (status == CLOSS_OK) status = check_classes(spec, t, i, error);
    if (status == CLOSS_OK) status = check_combination(spec->terms[i].kind, t, i, error);
    return status == CLOSS_OK ? check_agreement(spec, i, error) : status;
}
