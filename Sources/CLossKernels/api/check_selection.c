#include "api/check_spec.h"

#include <math.h>

#include "terms/selection.h"

static closs_status check_scope(closs_scope scope, int64_t term, closs_error *error) {
    if ((unsigned)scope <= CLOSS_PER_BATCH) return CLOSS_OK;
    if ((unsigned)scope <= CLOSS_PER_BATCH_POOLED)
        return refuse(error, CLOSS_BAD_OPTION, term,
                      "terms[%lld].scope pools the classes: expected that of a sample, or of the batch",
                      (long long)term);
    return refuse(error, CLOSS_BAD_OPTION, term, "terms[%lld].scope is %d: expected a closs_scope", (long long)term,
                  (int)scope);
}

static closs_status check_count(int64_t count, int64_t term, const char *name, closs_error *error) {
    if (count >= 0) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_OPTION, term, "terms[%lld].%s is %lld: expected at least 0", (long long)term, name,
                  (long long)count);
}

static closs_status check_balanced(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_balanced_binary_cross_entropy *t = &spec->terms[i].of.balanced_binary_cross_entropy;
    closs_status status = needs_channels(spec, i, "balanced binary cross entropy", error);
    if (status == CLOSS_OK) status = check_number(t->negative_ratio, 0, INFINITY, i, "negative_ratio", error);
    if (status == CLOSS_OK) status = check_number(t->epsilon, 0, INFINITY, i, "epsilon", error);
    if (status == CLOSS_OK) status = check_count(t->minimum_negatives, i, "minimum_negatives", error);
    if (status == CLOSS_OK) status = check_count(t->fallback_negatives, i, "fallback_negatives", error);
    return status == CLOSS_OK ? check_scope(t->scope, i, error) : status;
}

static closs_status check_top_k(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_top_k *t = &spec->terms[i].of.top_k;
    closs_status status =
        check_weights(t->class_weights, t->class_weights_count, spec->shape.classes, 0, i, "class_weights", 0, error);
    if (status == CLOSS_OK && !(t->percent > 0 && t->percent <= 100))
        status = refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].percent is %g: expected a number above 0, at most 100",
                        (long long)i, t->percent);
    if (status == CLOSS_OK) status = check_number(t->label_smoothing, 0, 1, i, "label_smoothing", error);
    if (status == CLOSS_OK && t->label_smoothing != 0 && spec->activation != CLOSS_SOFTMAX)
        status = refuse(error, CLOSS_BAD_OPTION, i,
                        "terms[%lld].label_smoothing is %g of a top-k of channels: expected 0 without a softmax",
                        (long long)i, t->label_smoothing);
    if (status == CLOSS_OK && (unsigned)t->ignored > CLOSS_IGNORED_EXCLUDED)
        status = refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].ignored is %d: expected a closs_ignored", (long long)i,
                        (int)t->ignored);
    return status == CLOSS_OK ? check_scope(t->scope, i, error) : status;
}

static closs_status check_ohem(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_ohem *t = &spec->terms[i].of.ohem;
    closs_status status = check_number(t->threshold, 0, 1, i, "threshold", error);
    if (status == CLOSS_OK) status = check_count(t->minimum_kept, i, "minimum_kept", error);
    if (status == CLOSS_OK && t->threshold == 0 && t->minimum_kept == 0)
        status = refuse(error, CLOSS_BAD_OPTION, i,
                        "terms[%lld].threshold and minimum_kept are both 0: nothing would ever be kept", (long long)i);
    if (status == CLOSS_OK) status = check_divisor(t->divisor, t->divisor_value, CLOSS_DIVIDE_BY_CONSTANT, i, error);
    if (status == CLOSS_OK)
        status = check_weights(t->class_weights, t->class_weights_count, spec->shape.classes, 0, i, "class_weights", 0,
                               error);
    return status == CLOSS_OK ? check_scope(t->scope, i, error) : status;
}

static closs_status check_balanced_l1(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_balanced_l1 *t = &spec->terms[i].of.balanced_l1;
    closs_status status = needs_channels(spec, i, "balanced L1 loss", error);
    if (status == CLOSS_OK) status = check_number(t->negative_ratio, 0, INFINITY, i, "negative_ratio", error);
    if (status == CLOSS_OK) status = check_count(t->minimum_negatives, i, "minimum_negatives", error);
    for (size_t j = 0; j < spec->term_count && status == CLOSS_OK; j++)
        if (spec->terms[j].kind == CLOSS_LINEAR_MAP)
            status = refuse(error, CLOSS_BAD_TERM, i,
                            "terms[%lld] is a balanced L1 loss, whose positives the maps tell: terms[%zu] is linear in "
                            "the same maps",
                            (long long)i, j);
    return status == CLOSS_OK ? check_scope(t->scope, i, error) : status;
}

// Ties are counted and samples numbered in 32 bits.
static closs_status check_count_of_values(const closs_spec *spec, int64_t i, closs_error *error) {
    int64_t values = spec->shape.samples * spec->shape.voxels;
    if (spec->activation != CLOSS_SOFTMAX) values *= spec->shape.classes;
    if (values <= UINT32_MAX) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_SHAPE, i, "terms[%lld] ranks at most 4294967295 values: the batch has more",
                  (long long)i);
}

closs_status check_selection(const closs_spec *spec, int64_t i, closs_error *error) {
    closs_status status;
    switch (spec->terms[i].kind) {
    case CLOSS_TOP_K: status = check_top_k(spec, i, error); break;
    case CLOSS_OHEM: status = check_ohem(spec, i, error); break;
    case CLOSS_BALANCED_L1: status = check_balanced_l1(spec, i, error); break;
    default: status = check_balanced(spec, i, error); break;
    }
    if (status == CLOSS_OK) status = check_count_of_values(spec, i, error);
    for (int64_t j = 0; j < i && status == CLOSS_OK; j++)
        if (selection_name(spec->terms[j].kind))
            status = refuse(error, CLOSS_BAD_TERM, i,
                            "terms[%lld] is a second term that selects (a %s beside a %s): expected one at most",
                            (long long)i, selection_name(spec->terms[i].kind), selection_name(spec->terms[j].kind));
    return status;
}
