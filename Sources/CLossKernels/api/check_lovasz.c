#include "api/check_spec.h"
#include "terms/classes.h"
#include "terms/lovasz.h"
#include "terms/overlap.h"

// Numbers of values and ranks are held in 31 bits.
static const int64_t MOST_VALUES = 2147483520;

static closs_status check_activation(const closs_spec *spec, int64_t i, closs_error *error) {
    if (spec->terms[i].kind == CLOSS_LOVASZ_SOFTMAX || spec->activation == CLOSS_SIGMOID) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_TERM, i, "terms[%lld] is a Lovasz hinge, which needs the sigmoid activation",
                  (long long)i);
}

static closs_status check_classes(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_lovasz *t = &spec->terms[i].of.lovasz;
    const int64_t classes = spec->shape.classes;
    closs_status status = check_named_classes(t->classes, classes, i, error);
    if (status == CLOSS_OK)
        status = check_weights(t->class_weights, t->class_weights_count, classes, 0, i, "class_weights", 1, error);
    if (status != CLOSS_OK) return status;
    uint64_t taken[CLOSS_MAX_CLASSES / 64];
    lovasz_take_classes(t, classes, taken);
    int some = 0, weight = 0;
    for (int64_t c = 0; c < classes; c++) {
        int here = has_class(taken, c);
        some |= here;
        weight |= here && (!t->class_weights || t->class_weights[c] > 0);
    }
    if (!some)
        return refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].classes leaves no class: expected one at least",
                      (long long)i);
    if (t->class_weights && lovasz_pooled(t))
        return refuse(error, CLOSS_BAD_OPTION, i,
                      "terms[%lld].class_weights are given, but in a pooled scope all classes are one", (long long)i);
    if (weight) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_OPTION, i,
                  "terms[%lld].class_weights is 0 for every class that takes part: expected one above 0", (long long)i);
}

static closs_status check_values(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_lovasz *t = &spec->terms[i].of.lovasz;
    int64_t values = (spec->shape.voxels + BLOCK_VOXELS - 1) / BLOCK_VOXELS * BLOCK_VOXELS;
    if (lovasz_per_batch(t)) values *= spec->shape.samples;
    if (lovasz_pooled(t)) values *= spec->shape.classes;
    if (values <= MOST_VALUES) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_SHAPE, i,
                  "terms[%lld] ranks at most %lld values together: its scope and the shape make %lld", (long long)i,
                  (long long)MOST_VALUES, (long long)values);
}

static closs_status check_neighbors(const closs_spec *spec, int64_t i, closs_error *error) {
    for (int64_t j = 0; j < (int64_t)spec->term_count; j++) {
        if (j < i && is_lovasz(spec->terms[j].kind))
            return refuse(error, CLOSS_BAD_TERM, i, "terms[%lld] is a second Lovasz term: expected one at most",
                          (long long)i);
        if (spec->activation == CLOSS_SOFTMAX && is_region(spec->terms[j].kind) && spec->terms[j].of.region.weighted)
            return refuse(error, CLOSS_BAD_TERM, i,
                          "terms[%lld] is a Lovasz term, which voxel weights do not enter: in a softmax expected no "
                          "region term with weighted sums beside it, as terms[%lld] is",
                          (long long)i, (long long)j);
    }
    return CLOSS_OK;
}

closs_status check_lovasz(const closs_spec *spec, int64_t i, closs_error *error) {
    const closs_lovasz *t = &spec->terms[i].of.lovasz;
    closs_status status = check_activation(spec, i, error);
    if (status == CLOSS_OK && (unsigned)t->scope > CLOSS_PER_BATCH_POOLED)
        status = refuse(error, CLOSS_BAD_OPTION, i, "terms[%lld].scope is %d: expected a closs_scope", (long long)i,
                        (int)t->scope);
    if (status == CLOSS_OK) status = check_classes(spec, i, error);
    if (status == CLOSS_OK) status = check_values(spec, i, error);
    return status == CLOSS_OK ? check_neighbors(spec, i, error) : status;
}
