#include "api/check_distance.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/check_spec.h"
#include "api/distance_plan.h"
#include "terms/real.h"

static const double MOST_POWER = 110; // of two: distances to the power of alpha are floats with room to spare

closs_status check_extents(const closs_spec *spec, closs_error *error) {
    const closs_extents *e = &spec->extents;
    int64_t planes = e->planes ? e->planes : 1, rows = e->rows ? e->rows : 1, columns = e->columns ? e->columns : 1;
    int64_t product;
    if (!e->planes && !e->rows && !e->columns) return CLOSS_OK;
    if (planes > 0 && rows > 0 && columns > 0 && !__builtin_mul_overflow(planes, rows, &product) &&
        !__builtin_mul_overflow(product, columns, &product) && product == spec->shape.voxels)
        return CLOSS_OK;
    return refuse(error, CLOSS_BAD_SHAPE, -1, "extents are %lld x %lld x %lld: expected the %lld voxels of a sample",
                  (long long)planes, (long long)rows, (long long)columns, (long long)spec->shape.voxels);
}

// ----------------------------------------------------------------------------------------------------- classes ----

static int takes_part(const closs_distance_term *t, int64_t classes, int64_t c) {
    int named = 0;
    for (size_t w = 0; w < CLOSS_MAX_CLASSES / 64; w++) named |= t->classes[w] != 0;
    if (t->exclude_background && c == 0 && classes > 1) return 0;
    if (named && !(t->classes[c / 64] >> c % 64 & 1)) return 0;
    return !t->class_weights || t->class_weights[c] > 0;
}

static closs_status check_classes(const closs_spec *spec, const closs_distance_term *t, int64_t i, closs_error *error) {
    const int64_t classes = spec->shape.classes;
    for (int64_t c = classes; c < CLOSS_MAX_CLASSES; c++)
        if (t->classes[c / 64] >> c % 64 & 1)
            return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].classes has class %lld: expected 0 to %lld",
                          (long long)i, (long long)c, (long long)classes - 1);
    closs_status status =
        check_weights(t->class_weights, t->class_weights_count, classes, 0, i, "class_weights", 1, error);
    if (status != CLOSS_OK) return status;
    for (int64_t c = 0; c < classes; c++)
        if (takes_part(t, classes, c)) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_OPTION, i,
                  "terms[%lld] leaves no class: expected one at least that takes part with a class weight above 0",
                  (long long)i);
}

// ----------------------------------------------------------------------------------------------------- options ----

static closs_status check_choices(const closs_distance_term *t, int64_t i, closs_error *error) {
    const struct {
        unsigned value, most;
        const char *name, *type;
    } choices[] = {
        {(unsigned)t->far, CLOSS_FAR_DIAGONAL, "far", "CLOSS_FAR_ZERO or CLOSS_FAR_DIAGONAL"},
        {(unsigned)t->inner_boundary, CLOSS_INNER_ZERO_UNIT, "inner_boundary", "a closs_inner_boundary"},
        {(unsigned)t->prediction, CLOSS_PREDICTION_LARGEST, "prediction", "a closs_prediction"},
        {(unsigned)t->sides, CLOSS_SIDES_INSIDE, "sides", "a closs_sides"},
    };
    for (size_t n = 0; n < sizeof choices / sizeof *choices; n++)
        if (choices[n].value > choices[n].most)
            return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].%s is %d: expected %s", (long long)i,
                          choices[n].name, (int)choices[n].value, choices[n].type);
    return CLOSS_OK;
}

// Members of the other kind.
static closs_status check_kind(const closs_term *term, int64_t i, closs_error *error) {
    const closs_distance_term *t = &term->of.distance;
    const char *name = 0;
    if (term->kind == CLOSS_HAUSDORFF) {
        if (t->inner_boundary) name = "inner_boundary";
    } else {
        name = t->alpha != 0   ? "alpha"
               : t->prediction ? "prediction"
               : t->sides      ? "sides"
               : t->logarithm  ? "logarithm"
                               : 0;
    }
    if (!name) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].%s is not for a %s loss: expected it to be 0", (long long)i,
                  name, term->kind == CLOSS_HAUSDORFF ? "Hausdorff" : "boundary");
}

static closs_status check_alone(const closs_spec *spec, int64_t i, closs_error *error) {
    for (int64_t j = 0; j < i; j++)
        if (spec->terms[j].kind == spec->terms[i].kind)
            return refuse(error, CLOSS_BAD_TERM, i,
                          "terms[%lld] is a %s loss, as is terms[%lld]: expected one of a loss at most, whose maps are "
                          "kept",
                          (long long)i, spec->terms[i].kind == CLOSS_HAUSDORFF ? "Hausdorff" : "boundary",
                          (long long)j);
    return CLOSS_OK;
}

// ----------------------------------------------------------------------------------------------------- metrics ----

static closs_distance_spec maps_of(const closs_spec *spec, int64_t i) {
    const closs_distance_term *t = &spec->terms[i].of.distance;
    closs_distance_spec maps = {.samples = spec->shape.samples,
                                .extents = spec->extents,
                                .class_count = (int)spec->shape.classes,
                                .form = CLOSS_DISTANCE_SIGNED,
                                .boundary = t->inner_boundary,
                                .far = t->far,
                                .isa = spec->isa};
    memcpy(maps.spacing, t->spacing, sizeof maps.spacing);
    return maps;
}

static closs_status check_metric(const closs_spec *spec, int64_t i, distance_plan *plan, closs_error *error) {
    if (!spec->extents.planes && !spec->extents.rows && !spec->extents.columns)
        return refuse(error, CLOSS_BAD_SHAPE, i,
                      "terms[%lld] measures distances: expected the extents of a sample, of 2 or 3 dimensions",
                      (long long)i);
    closs_distance_spec maps = maps_of(spec, i);
    closs_status status = distance_resolve(&maps, plan, error);
    if (status == CLOSS_OK || !error) return status;
    char message[sizeof error->message];
    memcpy(message, error->message, sizeof message);
    snprintf(error->message, sizeof error->message, "terms[%lld]: %.210s", (long long)i, message);
    error->index = i;
    return status;
}

// Powers of distances must be floats, and so must their sums.
static closs_status check_alpha(const closs_distance_term *t, int64_t i, const distance_metric *metric,
                                closs_error *error) {
    if (!(t->alpha > 0 && isnormal((float)t->alpha) && isnormal((float)(t->alpha / 2))))
        return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].alpha is %g: expected a finite number above 0",
                      (long long)i, t->alpha);
    double half = t->alpha / 2 / 0x1.62e42fefa39efp-1, most = half * real_log(metric->diagonal),
           least = half * real_log(metric->least);
    if (most <= MOST_POWER && least >= -MOST_POWER) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_OPTION, i,
                  "terms[%lld].alpha is %g: the sample's distances, %g to %g, to that power are beyond 2^-110 .. 2^110",
                  (long long)i, t->alpha, sqrt(metric->least), sqrt(metric->diagonal));
}

closs_status check_distance(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_term *term = &spec->terms[i];
    const closs_distance_term *t = &term->of.distance;
    distance_plan plan;
    closs_status status = check_classes(spec, t, i, error);
    if (status == CLOSS_OK) status = check_choices(t, i, error);
    if (status == CLOSS_OK) status = check_kind(term, i, error);
    if (status == CLOSS_OK) status = check_alone(spec, i, error);
    if (status == CLOSS_OK && t->prediction == CLOSS_PREDICTION_LARGEST && spec->shape.classes < 2)
        status = refuse(error, CLOSS_BAD_OPTION, i,
                        "terms[%lld].prediction is CLOSS_PREDICTION_LARGEST: expected 2 classes or more", (long long)i);
    if (status == CLOSS_OK) status = check_metric(spec, i, &plan, error);
    if (status == CLOSS_OK && term->kind == CLOSS_HAUSDORFF) status = check_alpha(t, i, &plan.job.metric, error);
    return status == CLOSS_OK ? check_divisor(t->divisor, t->divisor_value, CLOSS_DIVIDE_BY_TARGET, i, error) : status;
}

// ------------------------------------------------------------------------------------------------------- plans ----

// Arithmetic 13.5: s, from a bound of the map's values.
static int scale_exponent(double largest) {
    int exponent;
    frexp(largest, &exponent);
    return exponent > 10 || exponent < 0 ? exponent - 10 : 0;
}

static void describe_boundary(const closs_distance_term *t, distance_term *described) {
    distance_metric *metric = &described->job.metric;
    double largest = sqrt(metric->diagonal);
    if (t->inner_boundary == CLOSS_INNER_ZERO_UNIT && largest < 1) largest = 1;
    int s = scale_exponent(largest);
    // The maps come out divided: so do lengths.
    metric->unit = ldexp(metric->unit, -2 * s);
    metric->outer_shift = ldexpf(metric->outer_shift, -s);
    metric->inner_shift = ldexpf(metric->inner_shift, -s);
    metric->far_value = ldexpf(metric->far_value, -s);
    described->map_scale = ldexp(1, s);
}

static void describe_hausdorff(const closs_distance_term *t, distance_term *described) {
    distance_metric *metric = &described->job.metric;
    double largest = 2 * real_power(metric->diagonal, t->alpha / 2);
    int s = scale_exponent(largest);
    described->job.keeps_squares = 1;
    if (t->far == CLOSS_FAR_DIAGONAL) metric->far_value = (float)metric->diagonal;
    described->power = (hausdorff_power){t->sides, (float)t->alpha, (float)(t->alpha / 2), ldexpf(1, -s)};
    described->map_scale = ldexp(1, s);
}

void distance_describe(const closs_spec *spec, int64_t i, distance_term *described) {
    closs_distance_spec maps = maps_of(spec, i);
    const closs_distance_term *t = &spec->terms[i].of.distance;
    distance_plan plan;
    distance_resolve(&maps, &plan, 0);
    *described = (distance_term){.kind = spec->terms[i].kind, .job = plan.job, .kernels = plan.kernels};
    for (int64_t c = 0; c < spec->shape.classes; c++)
        if (takes_part(t, spec->shape.classes, c)) described->classes[c / 64] |= (uint64_t)1 << c % 64;
    if (described->kind == CLOSS_HAUSDORFF)
        describe_hausdorff(t, described);
    else
        describe_boundary(t, described);
}
