#include "api/describe_distance.h"

#include <math.h>

#include "terms/classes.h"
#include "terms/real.h"

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

distance_term distance_describe(const closs_term *term, int64_t classes, const distance_plan *maps) {
    const closs_distance_term *t = &term->of.distance;
    distance_term described = {.kind = term->kind, .of = t, .job = maps->job, .kernels = maps->kernels};
    distance_take_classes(t, classes, described.classes);
    if (term->kind == CLOSS_HAUSDORFF)
        describe_hausdorff(t, &described);
    else
        describe_boundary(t, &described);
    return described;
}
