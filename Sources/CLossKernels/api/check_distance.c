#include "api/check_distance.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/check_spec.h"
#include "terms/classes.h"
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

static closs_status check_classes(const closs_spec *spec, const closs_distance_term *t, int64_t i, closs_error *error) {
    const int64_t classes = spec->shape.classes;
    closs_status status = check_named_classes(t->classes, classes, i, error);
    if (status == CLOSS_OK)
        status = check_weights(t->class_weights, t->class_weights_count, classes, 0, i, "class_weights", 1, error);
    if (status != CLOSS_OK) return status;
    uint64_t taken[CLOSS_MAX_CLASSES / 64];
    distance_take_classes(t, classes, taken);
    for (int64_t c = 0; c < classes; c++)
        if (has_class(taken, c)) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_OPTION, i,
                  "terms[%lld] leaves no class: expected one at least that takes part with a class weight above 0",
                  (long long)i);
}

// ----------------------------------------------------------------------------------------------------- options ----

static const char *name_of(closs_term_kind kind) { return kind == CLOSS_HAUSDORFF ? "Hausdorff" : "boundary"; }

static closs_status check_choices(const closs_distance_term *t, int64_t i, closs_error *error) {
    const struct {
        unsigned value, most;
        const char *name, *type;
    } choices[] = {
        {(unsigned)t->far, CLOSS_FAR_INFINITY, "far", "a closs_distance_far"},
        {(unsigned)t->inner_boundary, CLOSS_INNER_ZERO_UNIT, "inner_boundary", "a closs_inner_boundary"},
        {(unsigned)t->prediction, CLOSS_PREDICTION_LARGEST, "prediction", "a closs_prediction"},
        {(unsigned)t->sides, CLOSS_SIDES_INSIDE, "sides", "a closs_sides"},
    };
    for (size_t n = 0; n < sizeof choices / sizeof *choices; n++)
        if (choices[n].value > choices[n].most)
            return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].%s is %d: expected %s", (long long)i,
                          choices[n].name, (int)choices[n].value, choices[n].type);
    if (t->far == CLOSS_FAR_INFINITY)
        return refuse(error, CLOSS_BAD_OPTION, i,
                      "terms[%lld].far is infinity, as the loss would be: expected zero or the diagonal", (long long)i);
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
                  name, name_of(term->kind));
}

static closs_status check_alone(const closs_spec *spec, int64_t i, closs_error *error) {
    for (int64_t j = 0; j < i; j++)
        if (spec->terms[j].kind == spec->terms[i].kind)
            return refuse(error, CLOSS_BAD_TERM, i,
                          "terms[%lld] is a %s loss, as is terms[%lld]: expected at most one %s loss", (long long)i,
                          name_of(spec->terms[i].kind), (long long)j, name_of(spec->terms[i].kind));
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
                      "terms[%lld] measures distances: expected the extents of a sample, one to three", (long long)i);
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

// Of the terms that measure distances, which this is.
static int place_of(const closs_spec *spec, int64_t i) {
    int place = 0;
    for (int64_t j = 0; j < i; j++) place += measures_distances(spec->terms[j].kind);
    return place;
}

closs_status check_distance(const closs_spec *spec, int64_t i, distance_plan *maps, closs_error *error) {
    const closs_term *term = &spec->terms[i];
    const closs_distance_term *t = &term->of.distance;
    closs_status status = check_classes(spec, t, i, error);
    if (status == CLOSS_OK) status = check_choices(t, i, error);
    if (status == CLOSS_OK) status = check_kind(term, i, error);
    if (status == CLOSS_OK) status = check_alone(spec, i, error);
    if (status == CLOSS_OK && t->prediction == CLOSS_PREDICTION_LARGEST && spec->shape.classes < 2)
        status = refuse(error, CLOSS_BAD_OPTION, i,
                        "terms[%lld].prediction is the class of the largest probability: expected 2 classes or more",
                        (long long)i);
    // No more terms than there is room for: each kind is alone.
    distance_plan *plan = status == CLOSS_OK ? &maps[place_of(spec, i)] : 0;
    if (status == CLOSS_OK) status = check_metric(spec, i, plan, error);
    if (status == CLOSS_OK && term->kind == CLOSS_HAUSDORFF) status = check_alpha(t, i, &plan->job.metric, error);
    return status == CLOSS_OK ? check_divisor(t->divisor, t->divisor_value, CLOSS_DIVIDE_BY_TARGET, i, error) : status;
}
