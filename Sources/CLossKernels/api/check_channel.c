#include "api/check_channel.h"

#include <math.h>

#include "api/check_spec.h"
#include "terms/real.h"

static const double LEAST_OFFSET = 1e-30; // its reciprocal is a float with room to spare
static const double MOST_STAR = 0x1p19;

// Logarithms of p + o are for those who have p; from a logit there is nothing to be afraid of.
static closs_status check_log_offset(const closs_spec *spec, double offset, int64_t i, closs_error *error) {
    if (offset == 0) return CLOSS_OK;
    if (!(offset >= LEAST_OFFSET && offset <= 1))
        return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].log_offset is %g: expected 0, or 1e-30 to 1",
                      (long long)i, offset);
    if (spec->activation == CLOSS_PROBABILITIES) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_TERM, i, "terms[%lld].log_offset is %g: expected 0 unless from probabilities",
                  (long long)i, offset);
}

closs_status check_binary_options(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_binary_cross_entropy *t = &spec->terms[i].of.binary_cross_entropy;
    if ((unsigned)t->weight_form > CLOSS_WEIGHTS_OF_POSITIVES)
        return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].weight_form is %d: expected a closs_weight_form",
                      (long long)i, (int)t->weight_form);
    if (t->weight_form != CLOSS_WEIGHTS_OF_ALL && spec->activation == CLOSS_SOFTMAX)
        return refuse(
            error, CLOSS_BAD_TERM, i,
            "terms[%lld]: voxel weights of the positives alone are not for a softmax: expected weights of all values",
            (long long)i);
    if (t->positives_only && t->label_smoothing != 0)
        return refuse(error, CLOSS_BAD_OPTION, i,
                      "terms[%lld].label_smoothing is %g beside positives_only: expected one of the two only",
                      (long long)i, t->label_smoothing);
    return check_log_offset(spec, t->log_offset, i, error);
}

static closs_status check_alphas(const closs_spec *spec, const closs_focal *t, int64_t i, closs_error *error) {
    if ((unsigned)t->alpha_form > CLOSS_ALPHA_POSITIVES)
        return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].alpha_form is %d: expected a closs_alpha_form",
                      (long long)i, (int)t->alpha_form);
    closs_status status =
        check_weights(t->class_alphas, t->class_alphas_count, spec->shape.classes, 0, i, "class_alphas", 1, error);
    if (status != CLOSS_OK || !t->class_alphas) return status;
    for (int64_t c = 0; c < spec->shape.classes; c++)
        if (!(t->class_alphas[c] <= 1))
            return refuse(error, CLOSS_BAD_OPTION, i,
                          "terms[%lld].class_alphas[%lld] is %g: expected a number from 0 to 1", (long long)i,
                          (long long)c, (double)t->class_alphas[c]);
    return CLOSS_OK;
}

// A factor is (u / T)^gamma with a u up to 1: one that could not be summed is no loss's.
static closs_status check_threshold(const closs_focal *t, int64_t i, closs_error *error) {
    double threshold = t->reduced_threshold;
    if (threshold == 0) return CLOSS_OK;
    if (!(threshold >= 0x1p-6 && threshold <= 1))
        return refuse(error, CLOSS_BAD_OPTION, i,
                      "terms[%lld].reduced_threshold is %g: expected 0 (none), or 1/64 to 1", (long long)i, threshold);
    if (-t->gamma * real_log(threshold) <= 13.1698) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_OPTION, i,
                  "terms[%lld].reduced_threshold is %g: its power of minus gamma, %g, exceeds 2^19", (long long)i,
                  threshold, -t->gamma);
}

static closs_status check_modulation(const closs_spec *spec, const closs_focal *t, int64_t i, closs_error *error) {
    if ((unsigned)t->modulation > CLOSS_MODULATION_LOGIT)
        return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].modulation is %d: expected a closs_modulation",
                      (long long)i, (int)t->modulation);
    if (t->modulation != CLOSS_MODULATION_LOGIT) return CLOSS_OK;
    if (spec->activation == CLOSS_PROBABILITIES)
        return refuse(
            error, CLOSS_BAD_TERM, i,
            "terms[%lld].modulation is by logits, which probabilities do not have: expected softmax or sigmoid",
            (long long)i);
    if (t->positives_only)
        return refuse(error, CLOSS_BAD_OPTION, i,
                      "terms[%lld].modulation is by logits beside positives_only: expected one of the two",
                      (long long)i);
    return CLOSS_OK;
}

// The focal loss of a softmax's classes has another formula.
static closs_status check_no_options(const closs_focal *t, int64_t i, closs_error *error) {
    const char *name = t->class_alphas || t->class_alphas_count           ? "class_alphas"
                       : t->alpha_form != CLOSS_ALPHA_BALANCED            ? "alpha_form"
                       : t->positive_weights || t->positive_weights_count ? "positive_weights"
                       : t->reduced_threshold != 0                        ? "reduced_threshold"
                       : t->modulation != CLOSS_MODULATION_PROBABILITY    ? "modulation"
                       : t->positives_only                                ? "positives_only"
                       : t->log_offset != 0                               ? "log_offset"
                                                                          : 0;
    if (!name) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_TERM, i,
                  "terms[%lld].%s is not for a focal loss of a softmax's classes: expected none, or per_channel",
                  (long long)i, name);
}

closs_status check_focal_options(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_focal *t = &spec->terms[i].of.focal;
    if (spec->activation == CLOSS_SOFTMAX && !t->per_channel) return check_no_options(t, i, error);
    closs_status status = check_alphas(spec, t, i, error);
    if (status == CLOSS_OK)
        status = check_weights(t->positive_weights, t->positive_weights_count, spec->shape.classes, 0, i,
                               "positive_weights", 1, error);
    if (status == CLOSS_OK) status = check_threshold(t, i, error);
    if (status == CLOSS_OK) status = check_modulation(spec, t, i, error);
    return status == CLOSS_OK ? check_log_offset(spec, t->log_offset, i, error) : status;
}

closs_status check_focal_star(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_focal_star *t = &spec->terms[i].of.focal_star;
    if (spec->activation != CLOSS_SIGMOID)
        return refuse(error, CLOSS_BAD_TERM, i, "terms[%lld] is a focal loss star, which needs the sigmoid activation",
                      (long long)i);
    closs_status status = check_number(t->gamma, 1 / MOST_STAR, MOST_STAR, i, "gamma", error);
    if (status == CLOSS_OK) status = check_number(t->shift, -MOST_STAR, MOST_STAR, i, "shift", error);
    if (status == CLOSS_OK && t->has_alpha) status = check_number(t->alpha, 0, 1, i, "alpha", error);
    if (status != CLOSS_OK) return status;
    return check_weights(t->class_weights, t->class_weights_count, spec->shape.classes, 0, i, "class_weights", 0,
                         error);
}
