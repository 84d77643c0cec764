// Counts of classes, weights of their frequencies, and maps of these.
#include <math.h>
#include <string.h>

#include "api/check_batch.h"
#include "api/weight_map.h"
#include "driver/environment.h"
#include "driver/weights_passes.h"
#include "kernels/formula.h"
#include "kernels/label.h"
#include "terms/real.h"

// ------------------------------------------------------------------------------------------------------ counts ----

static closs_status check_counts_spec(const closs_class_counts_spec *spec, closs_error *error) {
    if (!spec) return refuse(error, CLOSS_NULL_POINTER, -1, "spec is NULL");
    if (spec->samples < 1)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "samples is %lld: expected at least 1", (long long)spec->samples);
    if (spec->voxels < 1)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "voxels is %lld: expected at least 1", (long long)spec->voxels);
    if (spec->voxels > WEIGHT_MAP_MOST_VALUES / spec->samples)
        return refuse(error, CLOSS_BAD_SHAPE, -1,
                      "voxels is %lld, in each of %lld samples: expected at most 2^56 in all", (long long)spec->voxels,
                      (long long)spec->samples);
    if (spec->class_count < 1 || spec->class_count > CLOSS_MAX_CLASSES)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "class_count is %d: expected 1 .. %d", spec->class_count,
                      CLOSS_MAX_CLASSES);
    if (spec->threads < 0)
        return refuse(error, CLOSS_BAD_THREADS, -1, "threads is %d: expected 0 (the default) or more", spec->threads);
    if (!kernels_for(spec->isa)) return refuse_isa(spec->isa, error);
    return CLOSS_OK;
}

static closs_status check_labels(const closs_class_counts_spec *spec, closs_target target, const void *labels,
                                 size_t labels_count, closs_error *error) {
    const size_t voxels = (size_t)(spec->samples * spec->voxels);
    if (target < CLOSS_LABELS_U8 || target > CLOSS_LABELS_I64)
        return refuse(error, CLOSS_BAD_OPTION, -1, "target is %d: expected labels, CLOSS_LABELS_U8 to CLOSS_LABELS_I64",
                      (int)target);
    if (!labels) return refuse(error, CLOSS_NULL_POINTER, -1, "labels is NULL");
    if (labels_count != voxels)
        return refuse(error, CLOSS_WRONG_SIZE, -1, "labels_count is %zu: expected %zu, samples * voxels", labels_count,
                      voxels);
    return CLOSS_OK;
}

static closs_status bad_label(const closs_class_counts_spec *spec, closs_target target, const void *labels, int64_t i,
                              closs_error *error) {
    if (spec->has_ignore_index)
        return refuse(error, CLOSS_BAD_LABEL, i, "labels[%lld] is %lld: expected 0 to %d, or the ignore_index %lld",
                      (long long)i, (long long)label_at(target, labels, i), spec->class_count - 1,
                      (long long)spec->ignore_index);
    return refuse(error, CLOSS_BAD_LABEL, i, "labels[%lld] is %lld: expected 0 to %d (no ignore_index is set)",
                  (long long)i, (long long)label_at(target, labels, i), spec->class_count - 1);
}

// Counts all samples into `counts`, both halves.
static closs_status count_samples(const closs_class_counts_spec *spec, closs_target target, const void *labels,
                                  int64_t *counts, closs_error *error) {
    const class_labels l = {target, spec->class_count, spec->has_ignore_index, spec->ignore_index};
    const weight_kernels *kernels = kernels_for(spec->isa)->weights;
    const int threads = weight_map_threads(spec->threads, spec->voxels), classes = spec->class_count;
    for (int64_t s = 0; s < spec->samples; s++) {
        int64_t of_sample[CLOSS_MAX_CLASSES] = {0}, all = 0;
        int64_t bad = class_counts_pass(&l, kernels, threads,
                                        (const char *)labels + (size_t)(s * spec->voxels) * target_bytes(target),
                                        spec->voxels, of_sample);
        if (bad >= 0) return bad_label(spec, target, labels, s * spec->voxels + bad, error);
        for (int c = 0; c < classes; c++) all += of_sample[c];
        for (int c = 0; c < classes; c++) {
            counts[c] += of_sample[c];
            if (of_sample[c]) counts[classes + c] += all;
        }
    }
    return CLOSS_OK;
}

// Refuses what cannot be counts, or cannot be once `more` voxels are added.
static closs_status check_class_counts(int classes, const int64_t *counts, int64_t more, closs_error *error) {
    int64_t all = more;
    for (int i = 0; i < 2 * classes; i++) {
        if (counts[i] < 0)
            return refuse(error, CLOSS_OUT_OF_RANGE, i, "counts[%d] is %lld: expected 0 or more", i,
                          (long long)counts[i]);
        if (counts[i] > INT64_MAX - more)
            return refuse(error, CLOSS_OUT_OF_RANGE, i, "counts[%d] is %lld: with %lld more it leaves 64 bits", i,
                          (long long)counts[i], (long long)more);
    }
    for (int c = 0; c < classes; c++) {
        if (counts[c] > INT64_MAX - all)
            return refuse(error, CLOSS_OUT_OF_RANGE, c, "the counts' sum leaves the range of 64 bits");
        all += counts[c];
        if (counts[classes + c] < counts[c])
            return refuse(error, CLOSS_OUT_OF_RANGE, classes + c,
                          "counts[%d] is %lld: expected the voxels of samples with class %d, of which %lld are its own",
                          classes + c, (long long)counts[classes + c], c, (long long)counts[c]);
    }
    return CLOSS_OK;
}

closs_status closs_class_counts(const closs_class_counts_spec *spec, closs_target target, const void *labels,
                                size_t labels_count, int64_t *counts, size_t counts_count, closs_error *error) {
    int64_t found[2 * CLOSS_MAX_CLASSES] = {0};
    closs_status status = check_counts_spec(spec, error);
    if (status == CLOSS_OK) status = check_labels(spec, target, labels, labels_count, error);
    if (status == CLOSS_OK)
        status = check_elements("counts", counts, counts_count, 2 * (size_t)spec->class_count, error);
    if (status != CLOSS_OK) return status;
    const memory_range ranges[] = {{"labels", labels, labels_count * target_bytes(target), 0},
                                   {"counts", counts, counts_count * sizeof *counts, 1}};
    status = check_disjoint(ranges, 2, error);
    if (status == CLOSS_OK) status = check_class_counts(spec->class_count, counts, (int64_t)labels_count, error);
    if (status == CLOSS_OK) status = count_samples(spec, target, labels, found, error);
    if (status != CLOSS_OK) return status;
    for (size_t i = 0; i < counts_count; i++) counts[i] += found[i];
    return accepted(error);
}

// ----------------------------------------------------------------------------------------------------- weights ----

static closs_status check_weights_spec(const closs_class_weights_spec *spec, closs_error *error) {
    if (!spec) return refuse(error, CLOSS_NULL_POINTER, -1, "spec is NULL");
    if (spec->class_count < 1 || spec->class_count > CLOSS_MAX_CLASSES)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "class_count is %d: expected 1 .. %d", spec->class_count,
                      CLOSS_MAX_CLASSES);
    if (spec->weighting < CLOSS_WEIGHTING_BALANCED || spec->weighting > CLOSS_WEIGHTING_EFFECTIVE)
        return refuse(error, CLOSS_BAD_OPTION, -1, "weighting is %d: expected a closs_class_weighting",
                      (int)spec->weighting);
    if (spec->weighting == CLOSS_WEIGHTING_LOGARITHMIC && !(spec->parameter > 1 && spec->parameter <= 100))
        return refuse(error, CLOSS_BAD_OPTION, -1,
                      "parameter, the offset of logarithmic weights, is %g: expected more than 1, 100 at most",
                      spec->parameter);
    if (spec->weighting == CLOSS_WEIGHTING_EFFECTIVE && !(spec->parameter >= 0 && spec->parameter < 1))
        return refuse(error, CLOSS_BAD_OPTION, -1,
                      "parameter, the beta of effective weights, is %g: expected 0 or more, less than 1",
                      spec->parameter);
    if (spec->weighting < CLOSS_WEIGHTING_LOGARITHMIC && spec->parameter != 0)
        return refuse(error, CLOSS_BAD_OPTION, -1, "parameter is %g: expected 0, as this weighting has none",
                      spec->parameter);
    if (spec->absent < CLOSS_ABSENT_WEIGHT_ZERO || spec->absent > CLOSS_ABSENT_WEIGHT_FORMULA)
        return refuse(error, CLOSS_BAD_OPTION, -1, "absent is %d: expected a closs_absent_weight", (int)spec->absent);
    if (spec->absent == CLOSS_ABSENT_WEIGHT_FORMULA && spec->weighting != CLOSS_WEIGHTING_LOGARITHMIC)
        return refuse(error, CLOSS_BAD_OPTION, -1,
                      "absent asks for the formula's value, which only logarithmic weights have: expected zero, one or "
                      "the largest");
    if (spec->norm < CLOSS_NORM_NONE || spec->norm > CLOSS_NORM_VOXELS)
        return refuse(error, CLOSS_BAD_OPTION, -1, "norm is %d: expected a closs_weights_norm", (int)spec->norm);
    return CLOSS_OK;
}

// Arithmetic 14.4: the median of the present classes' frequencies in samples that have them.
static double median_frequency(const int64_t *counts, int classes) {
    double sorted[CLOSS_MAX_CLASSES];
    int present = 0;
    for (int c = 0; c < classes; c++) {
        if (!counts[c]) continue;
        double frequency = (double)counts[c] / (double)counts[classes + c];
        int i = present++;
        for (; i > 0 && sorted[i - 1] > frequency; i--) sorted[i] = sorted[i - 1];
        sorted[i] = frequency;
    }
    if (!present) return 0;
    return present % 2 ? sorted[present / 2] : (sorted[present / 2 - 1] + sorted[present / 2]) / 2;
}

// The weight of a class with n > 0 (logarithmic: n >= 0) of `all` voxels.
static double frequency_weight(const closs_class_weights_spec *spec, double n, double of_samples, double all,
                               double median) {
    switch (spec->weighting) {
    case CLOSS_WEIGHTING_BALANCED: return all / (spec->class_count * n);
    case CLOSS_WEIGHTING_INVERSE: return all / n;
    case CLOSS_WEIGHTING_ODDS: return (all - n) / n;
    case CLOSS_WEIGHTING_MEDIAN: return median / (n / of_samples);
    case CLOSS_WEIGHTING_LOGARITHMIC: return 1 / real_log(spec->parameter + (n > 0 ? n / all : 0));
    case CLOSS_WEIGHTING_EFFECTIVE:
        return (1 - spec->parameter) / (1 - (spec->parameter > 0 ? real_power(spec->parameter, n) : 0));
    }
    return 0;
}

static void weigh_absent(const closs_class_weights_spec *spec, const int64_t *counts, double *weights) {
    double largest = 0, weight = spec->absent == CLOSS_ABSENT_WEIGHT_ONE ? 1 : 0;
    for (int c = 0; c < spec->class_count; c++)
        if (counts[c] && weights[c] > largest) largest = weights[c];
    if (spec->absent == CLOSS_ABSENT_WEIGHT_LARGEST) weight = largest;
    for (int c = 0; c < spec->class_count; c++)
        if (!counts[c])
            weights[c] = spec->absent == CLOSS_ABSENT_WEIGHT_FORMULA ? frequency_weight(spec, 0, 0, 1, 0) : weight;
}

static double norm_factor(const closs_class_weights_spec *spec, const int64_t *counts, const double *weights) {
    double sum = 0, of = 0;
    if (spec->norm == CLOSS_NORM_NONE) return 1;
    for (int c = 0; c < spec->class_count; c++) {
        double share = spec->norm == CLOSS_NORM_CLASSES ? 1 : (double)counts[c];
        sum += share * weights[c];
        of += share;
    }
    return sum > 0 ? of / sum : 1;
}

NOT_INLINED static closs_status class_weights(const closs_class_weights_spec *spec, const int64_t *counts,
                                              size_t counts_count, float *weights, size_t weights_count,
                                              closs_error *error) {
    closs_status status = check_weights_spec(spec, error);
    if (status != CLOSS_OK) return status;
    const int classes = spec->class_count;
    status = check_elements("counts", counts, counts_count, 2 * (size_t)classes, error);
    if (status == CLOSS_OK) status = check_elements("weights", weights, weights_count, (size_t)classes, error);
    if (status == CLOSS_OK) status = check_class_counts(classes, counts, 0, error);
    if (status != CLOSS_OK) return status;
    const memory_range ranges[] = {{"counts", counts, counts_count * sizeof *counts, 0},
                                   {"weights", weights, weights_count * sizeof *weights, 1}};
    status = check_disjoint(ranges, 2, error);
    if (status != CLOSS_OK) return status;
    double found[CLOSS_MAX_CLASSES] = {0}, all = 0;
    const double median = median_frequency(counts, classes);
    int64_t sum = 0;
    for (int c = 0; c < classes; c++) sum += counts[c];
    all = (double)sum;
    for (int c = 0; c < classes; c++)
        if (counts[c]) found[c] = frequency_weight(spec, (double)counts[c], (double)counts[classes + c], all, median);
    weigh_absent(spec, counts, found);
    const double factor = norm_factor(spec, counts, found);
    for (int c = 0; c < classes; c++) weights[c] = (float)(found[c] * factor);
    return accepted(error);
}

closs_status closs_class_weights(const closs_class_weights_spec *spec, const int64_t *counts, size_t counts_count,
                                 float *weights, size_t weights_count, closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status = class_weights(spec, counts, counts_count, weights, weights_count, error);
    environment_leave(callers);
    return status;
}

// -------------------------------------------------------------------------------------------------------- maps ----

NOT_INLINED static closs_status class_weight_map(const closs_class_counts_spec *spec, closs_target target,
                                                 const void *labels, size_t labels_count, const float *weights,
                                                 size_t weights_count, float *map, size_t map_count,
                                                 closs_error *error) {
    int64_t counts[2 * CLOSS_MAX_CLASSES] = {0};
    closs_status status = check_counts_spec(spec, error);
    if (status == CLOSS_OK) status = check_labels(spec, target, labels, labels_count, error);
    if (status == CLOSS_OK)
        status = check_elements("weights", weights, weights_count, (size_t)spec->class_count, error);
    if (status == CLOSS_OK) status = check_elements("map", map, map_count, labels_count, error);
    if (status != CLOSS_OK) return status;
    for (int c = 0; c < spec->class_count; c++)
        if (!(weights[c] >= 0 && weights[c] < INFINITY))
            return refuse(error, CLOSS_BAD_WEIGHT, c, "weights[%d] is %g: expected a finite weight, 0 or more", c,
                          (double)weights[c]);
    const memory_range ranges[] = {{"labels", labels, labels_count * target_bytes(target), 0},
                                   {"weights", weights, weights_count * sizeof *weights, 0},
                                   {"map", map, map_count * sizeof *map, 1}};
    status = check_disjoint(ranges, 3, error);
    // A label that is no class must not be met while the map is written.
    if (status == CLOSS_OK) status = count_samples(spec, target, labels, counts, error);
    if (status != CLOSS_OK) return status;
    const class_labels l = {target, spec->class_count, spec->has_ignore_index, spec->ignore_index};
    class_map_pass(&l, kernels_for(spec->isa)->weights, weight_map_threads(spec->threads, (int64_t)labels_count),
                   labels, (int64_t)labels_count, weights, map);
    return accepted(error);
}

closs_status closs_class_weight_map(const closs_class_counts_spec *spec, closs_target target, const void *labels,
                                    size_t labels_count, const float *weights, size_t weights_count, float *map,
                                    size_t map_count, closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status =
        class_weight_map(spec, target, labels, labels_count, weights, weights_count, map, map_count, error);
    environment_leave(callers);
    return status;
}
