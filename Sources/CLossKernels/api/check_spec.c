#include "api/check_spec.h"

#include <float.h>
#include <math.h>

#include "api/check_channel.h"
#include "api/check_distance.h"
#include "kernels/formula.h"
#include "terms/classes.h"
#include "terms/overlap.h"

static const float WEIGHT_LIMIT = 0x1p+19f;

static closs_status check_shape(const closs_spec *spec, closs_error *error) {
    const closs_shape *shape = &spec->shape;
    int fewest = spec->activation == CLOSS_SOFTMAX ? 2 : 1;
    if (shape->samples < 1)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "samples is %lld: expected at least 1", (long long)shape->samples);
    if (shape->voxels < 1)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "voxels is %lld: expected at least 1", (long long)shape->voxels);
    if (shape->classes < fewest || shape->classes > CLOSS_MAX_CLASSES)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "classes is %lld: expected %d to %d for this activation",
                      (long long)shape->classes, fewest, CLOSS_MAX_CLASSES);
    // Totals and coefficients take less than 4096 bytes of a class of a sample.
    int64_t values, bytes;
    if (__builtin_mul_overflow(shape->samples, shape->voxels, &values) ||
        __builtin_mul_overflow(values, shape->classes * 16, &bytes) ||
        __builtin_mul_overflow(shape->samples, shape->classes * 4096, &bytes))
        return refuse(error, CLOSS_BAD_SHAPE, -1, "samples * classes * voxels is too large to address");
    return CLOSS_OK;
}

closs_status check_number(double value, double least, double most, int64_t term, const char *name, closs_error *error) {
    if (value >= least && value <= most && isfinite(value)) return CLOSS_OK;
    if (isfinite(most))
        return refuse(error, CLOSS_BAD_OPTION, term, "terms[%lld].%s is %g: expected %g to %g", (long long)term, name,
                      value, least, most);
    return refuse(error, CLOSS_BAD_OPTION, term, "terms[%lld].%s is %g: expected a finite number of at least %g",
                  (long long)term, name, value, least);
}

closs_status check_weights(const float *weights, size_t count, int64_t classes, int64_t first, int64_t term,
                           const char *name, int all_zero_allowed, closs_error *error) {
    if (!weights && count == 0) return CLOSS_OK;
    if (!weights)
        return refuse(error, CLOSS_NULL_POINTER, term, "terms[%lld].%s is NULL, but its count is %zu", (long long)term,
                      name, count);
    if (count != (size_t)classes)
        return refuse(error, CLOSS_WRONG_SIZE, term,
                      "terms[%lld].%s has %zu entries: expected one for each of %lld classes", (long long)term, name,
                      count, (long long)classes);
    int some = 0;
    for (int64_t c = 0; c < classes; c++) {
        if (!(weights[c] >= 0 && weights[c] < WEIGHT_LIMIT))
            return refuse(error, CLOSS_BAD_OPTION, term,
                          "terms[%lld].%s[%lld] is %g: expected a number from 0 to below 524288", (long long)term, name,
                          (long long)c, (double)weights[c]);
        some |= c >= first && weights[c] > 0;
    }
    if (!some && !all_zero_allowed)
        return refuse(error, CLOSS_BAD_OPTION, term,
                      "terms[%lld].%s is 0 for every class that takes part: expected one above 0", (long long)term,
                      name);
    return CLOSS_OK;
}

closs_status check_named_classes(const uint64_t *named, int64_t classes, int64_t term, closs_error *error) {
    for (int64_t c = classes; c < CLOSS_MAX_CLASSES; c++)
        if (has_class(named, c))
            return refuse(error, CLOSS_BAD_OPTION, term, "terms[%lld].classes has class %lld: expected 0 to %lld",
                          (long long)term, (long long)c, (long long)classes - 1);
    return CLOSS_OK;
}

// `last`: of the divisors that the term has.
closs_status check_divisor(closs_divisor divisor, double value, closs_divisor last, int64_t term, closs_error *error) {
    if ((unsigned)divisor > CLOSS_DIVIDE_BY_FACTORS)
        return refuse(error, CLOSS_BAD_OPTION, term, "terms[%lld].divisor is %d: expected a closs_divisor",
                      (long long)term, (int)divisor);
    if (divisor > last)
        return refuse(error, CLOSS_BAD_OPTION, term,
                      "terms[%lld].divisor is the %s, which this term does not have: expected another", (long long)term,
                      divisor == CLOSS_DIVIDE_BY_FACTORS ? "factors" : "target");
    if (divisor == CLOSS_DIVIDE_BY_FACTORS && !(value >= 0 && isfinite(value)))
        return refuse(error, CLOSS_BAD_OPTION, term,
                      "terms[%lld].divisor_value is %g: expected a finite number of at least 0", (long long)term,
                      value);
    if (divisor == CLOSS_DIVIDE_BY_CONSTANT && !(value > 0 && isfinite(value)))
        return refuse(error, CLOSS_BAD_OPTION, term,
                      "terms[%lld].divisor_value is %g: expected a finite number above 0", (long long)term, value);
    return CLOSS_OK;
}

static closs_status check_cross_entropy(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_cross_entropy *t = &spec->terms[i].of.cross_entropy;
    if (spec->activation != CLOSS_SOFTMAX)
        return refuse(error, CLOSS_BAD_TERM, i,
                      "terms[%lld] is a cross entropy, which needs the softmax activation; "
                      "for channels there is the binary cross entropy",
                      (long long)i);
    closs_status status =
        check_weights(t->class_weights, t->class_weights_count, spec->shape.classes, 0, i, "class_weights", 0, error);
    if (status == CLOSS_OK) status = check_number(t->label_smoothing, 0, 1, i, "label_smoothing", error);
    if (status == CLOSS_OK) status = check_number(t->exponent, 0, FLT_MAX, i, "exponent", error);
    if (status == CLOSS_OK && t->exponent != 0 && t->exponent != 1 && t->label_smoothing != 0)
        status = refuse(error, CLOSS_BAD_OPTION, i,
                        "terms[%lld].label_smoothing is %g beside an exponent of %g: expected one of the two only",
                        (long long)i, t->label_smoothing, t->exponent);
    if (status != CLOSS_OK) return status;
    return check_divisor(t->divisor, t->divisor_value, CLOSS_DIVIDE_BY_CONSTANT, i, error);
}

closs_status needs_channels(const closs_spec *spec, int64_t i, const char *name, closs_error *error) {
    if (spec->activation != CLOSS_SOFTMAX) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_TERM, i, "terms[%lld] is a %s, which needs the sigmoid or probabilities activation",
                  (long long)i, name);
}

// A loss of each logit's sigmoid inside a softmax must say so: the formulas are others.
static closs_status needs_per_channel(const closs_spec *spec, int per_channel, int64_t i, const char *name,
                                      closs_error *error) {
    if (per_channel || spec->activation != CLOSS_SOFTMAX) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_TERM, i,
                  "terms[%lld] is a %s, which needs per_channel inside a softmax, or the sigmoid or probabilities "
                  "activation",
                  (long long)i, name);
}

static closs_status check_binary(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_binary_cross_entropy *t = &spec->terms[i].of.binary_cross_entropy;
    closs_status status = needs_per_channel(spec, t->per_channel, i, "binary cross entropy", error);
    if (status == CLOSS_OK)
        status = check_weights(t->positive_weights, t->positive_weights_count, spec->shape.classes, 0, i,
                               "positive_weights", 1, error);
    if (status == CLOSS_OK)
        status = check_weights(t->class_weights, t->class_weights_count, spec->shape.classes, 0, i, "class_weights", 0,
                               error);
    if (status == CLOSS_OK) status = check_number(t->label_smoothing, 0, 1, i, "label_smoothing", error);
    if (status == CLOSS_OK) status = check_binary_options(spec, i, error);
    if (status != CLOSS_OK) return status;
    return check_divisor(t->divisor, t->divisor_value, CLOSS_DIVIDE_BY_TARGET, i, error);
}

static closs_status check_class_gammas(const closs_spec *spec, const closs_focal *t, int64_t i, closs_error *error) {
    if (!t->class_gammas && t->class_gammas_count == 0) return CLOSS_OK;
    if (!t->class_gammas)
        return refuse(error, CLOSS_NULL_POINTER, i, "terms[%lld].class_gammas is NULL, but its count is %zu",
                      (long long)i, t->class_gammas_count);
    if (spec->activation != CLOSS_SOFTMAX || t->per_channel)
        return refuse(error, CLOSS_BAD_TERM, i, "terms[%lld].class_gammas needs a focal loss of a softmax's classes",
                      (long long)i);
    if (t->class_gammas_count != (size_t)spec->shape.classes)
        return refuse(error, CLOSS_WRONG_SIZE, i,
                      "terms[%lld].class_gammas has %zu entries: expected one for each of %lld classes", (long long)i,
                      t->class_gammas_count, (long long)spec->shape.classes);
    for (int64_t c = 0; c < spec->shape.classes; c++)
        if (!(t->class_gammas[c] >= 0 && t->class_gammas[c] <= FLT_MAX))
            return refuse(error, CLOSS_BAD_OPTION, i,
                          "terms[%lld].class_gammas[%lld] is %g: expected a finite number of at least 0", (long long)i,
                          (long long)c, (double)t->class_gammas[c]);
    return CLOSS_OK;
}

static closs_status check_focal(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_focal *t = &spec->terms[i].of.focal;
    closs_status status = check_number(t->gamma, 0, FLT_MAX, i, "gamma", error);
    if (status == CLOSS_OK && t->has_alpha) status = check_number(t->alpha, 0, 1, i, "alpha", error);
    if (status == CLOSS_OK)
        status = check_weights(t->class_weights, t->class_weights_count, spec->shape.classes, 0, i, "class_weights", 0,
                               error);
    if (status == CLOSS_OK) status = check_class_gammas(spec, t, i, error);
    if (status == CLOSS_OK) status = check_focal_options(spec, i, error);
    if (status != CLOSS_OK) return status;
    closs_divisor last = spec->activation != CLOSS_SOFTMAX ? CLOSS_DIVIDE_BY_FACTORS
                         : t->per_channel                  ? CLOSS_DIVIDE_BY_TARGET
                                                           : CLOSS_DIVIDE_BY_CONSTANT;
    return check_divisor(t->divisor, t->divisor_value, last, i, error);
}

static closs_status check_star(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_focal_star *t = &spec->terms[i].of.focal_star;
    closs_status status = check_focal_star(spec, i, error);
    if (status != CLOSS_OK) return status;
    return check_divisor(t->divisor, t->divisor_value, CLOSS_DIVIDE_BY_TARGET, i, error);
}

static closs_status check_error(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_probability_error *t = &spec->terms[i].of.probability_error;
    closs_status status =
        check_weights(t->class_weights, t->class_weights_count, spec->shape.classes, 0, i, "class_weights", 0, error);
    if (status == CLOSS_OK && spec->terms[i].kind == CLOSS_SMOOTH_L1)
        status = check_number(t->beta, 0, FLT_MAX, i, "beta", error);
    if (status != CLOSS_OK) return status;
    return check_divisor(t->divisor, t->divisor_value, CLOSS_DIVIDE_BY_TARGET, i, error);
}

static closs_status check_linear_map(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_linear_map *t = &spec->terms[i].of.linear_map;
    closs_status status =
        check_weights(t->class_weights, t->class_weights_count, spec->shape.classes, 0, i, "class_weights", 0, error);
    if (status != CLOSS_OK) return status;
    return check_divisor(t->divisor, t->divisor_value, CLOSS_DIVIDE_BY_TARGET, i, error);
}

static closs_status check_term(const closs_spec *spec, int64_t i, distance_plan *maps, closs_error *error) {
    if (!isfinite(spec->terms[i].weight))
        return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].weight is not finite", (long long)i);
    if (is_region(spec->terms[i].kind)) return check_region(spec, i, error);
    switch (spec->terms[i].kind) {
    case CLOSS_CROSS_ENTROPY: return check_cross_entropy(spec, i, error);
    case CLOSS_BINARY_CROSS_ENTROPY: return check_binary(spec, i, error);
    case CLOSS_FOCAL: return check_focal(spec, i, error);
    case CLOSS_BALANCED_BINARY_CROSS_ENTROPY:
    case CLOSS_TOP_K:
    case CLOSS_OHEM:
    case CLOSS_BALANCED_L1: return check_selection(spec, i, error);
    case CLOSS_LOVASZ_SOFTMAX:
    case CLOSS_LOVASZ_HINGE: return check_lovasz(spec, i, error);
    case CLOSS_ABSOLUTE_ERROR:
    case CLOSS_SMOOTH_L1:
    case CLOSS_SQUARED_ERROR: return check_error(spec, i, error);
    case CLOSS_LINEAR_MAP: return check_linear_map(spec, i, error);
    case CLOSS_FOCAL_STAR: return check_star(spec, i, error);
    case CLOSS_BOUNDARY:
    case CLOSS_HAUSDORFF: return check_distance(spec, i, maps, error);
    default: break;
    }
    return refuse(error, CLOSS_BAD_TERM, i, "terms[%lld].kind is %d: expected a closs_term_kind", (long long)i,
                  (int)spec->terms[i].kind);
}

closs_status check_spec(const closs_spec *spec, distance_plan *maps, closs_error *error) {
    if (!spec) return refuse(error, CLOSS_NULL_POINTER, -1, "spec is NULL");
    if ((unsigned)spec->activation > CLOSS_PROBABILITIES)
        return refuse(error, CLOSS_BAD_OPTION, -1, "activation is %d: expected a closs_activation",
                      (int)spec->activation);
    if ((unsigned)spec->checks > CLOSS_CHECK_WHILE_WRITING)
        return refuse(error, CLOSS_BAD_OPTION, -1, "checks is %d: expected a closs_checks", (int)spec->checks);
    closs_status status = check_shape(spec, error);
    if (status == CLOSS_OK) status = check_extents(spec, error);
    if (status != CLOSS_OK) return status;
    if (spec->term_count < 1 || spec->term_count > CLOSS_MAX_TERMS)
        return refuse(error, CLOSS_BAD_OPTION, -1, "term_count is %zu: expected 1 to %d", spec->term_count,
                      CLOSS_MAX_TERMS);
    if (!spec->terms) return refuse(error, CLOSS_NULL_POINTER, -1, "terms is NULL");
    if (spec->threads < 0)
        return refuse(error, CLOSS_BAD_THREADS, -1, "threads is %d: expected 0 (the default) or more", spec->threads);
    if (!kernels_for(spec->isa)) return refuse_isa(spec->isa, error);
    for (size_t i = 0; i < spec->term_count; i++) {
        status = check_term(spec, (int64_t)i, maps, error);
        if (status != CLOSS_OK) return status;
    }
    return CLOSS_OK;
}
