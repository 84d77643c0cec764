// Scores of counts (arithmetic 15.3).
#include <math.h>

#include "api/check_batch.h"
#include "api/metric_checks.h"
#include "driver/environment.h"

static double ratio(double numerator, double denominator, closs_empty empty) {
    if (denominator > 0) return numerator / denominator;
    switch (empty) {
    case CLOSS_EMPTY_ONE: return 1;
    case CLOSS_EMPTY_ZERO:
    case CLOSS_EMPTY_ABSENT_EXCLUDED: return 0;
    default: return NAN;
    }
}

// The mean of what is there.
typedef struct present_mean {
    double sum;
    int64_t count;
} present_mean;

static void add_present(present_mean *mean, double value) {
    if (isnan(value)) return;
    mean->sum += value;
    mean->count++;
}

static double mean_of(const present_mean *mean) { return mean->count ? mean->sum / (double)mean->count : NAN; }

static int is_left_out(const closs_counts *c, closs_empty empty) {
    const int is_true = c->true_positives || c->false_negatives;
    if (empty == CLOSS_EMPTY_TARGET_EXCLUDED) return !is_true;
    return empty == CLOSS_EMPTY_ABSENT_EXCLUDED && !is_true && !c->false_positives;
}

static int is_negative(const closs_counts *c) {
    return (c->true_positives | c->true_negatives | c->false_positives | c->false_negatives) < 0;
}

NOT_INLINED static double score(const closs_counts *counts, closs_score_kind kind, closs_empty empty) {
    if (!counts) return 0;
    if (is_negative(counts)) return NAN;
    const double tp = (double)counts->true_positives, tn = (double)counts->true_negatives;
    const double fp = (double)counts->false_positives, fn = (double)counts->false_negatives;
    if (is_left_out(counts, empty)) return NAN;
    switch (kind) {
    case CLOSS_SCORE_DICE: return ratio(2 * tp, 2 * tp + fp + fn, empty);
    case CLOSS_SCORE_IOU: return ratio(tp, tp + fp + fn, empty);
    case CLOSS_SCORE_PRECISION: return ratio(tp, tp + fp, empty);
    case CLOSS_SCORE_RECALL: return ratio(tp, tp + fn, empty);
    case CLOSS_SCORE_SPECIFICITY: return ratio(tn, tn + fp, empty);
    case CLOSS_SCORE_ACCURACY: return ratio(tp + tn, tp + fp + fn + tn, empty);
    case CLOSS_SCORE_BACKGROUND_IOU: return ratio(tn, tn + fp + fn, empty);
    case CLOSS_SCORE_TWO_CLASS_IOU: {
        present_mean both = {0};
        add_present(&both, ratio(tn, tn + fp + fn, CLOSS_EMPTY_EXCLUDED));
        add_present(&both, ratio(tp, tp + fp + fn, CLOSS_EMPTY_EXCLUDED));
        return both.count ? mean_of(&both) : ratio(0, 0, empty);
    }
    }
    return 0;
}

double closs_score(const closs_counts *counts, closs_score_kind kind, closs_empty empty) {
    float_environment callers = environment_enter();
    double value = score(counts, kind, empty);
    environment_leave(callers);
    return value;
}

static void add_counts(closs_counts *into, const closs_counts *from) {
    into->true_positives += from->true_positives;
    into->false_positives += from->false_positives;
    into->false_negatives += from->false_negatives;
    into->true_negatives += from->true_negatives;
}

static closs_status check_scores(const closs_score_spec *spec, int thresholds, closs_error *error) {
    closs_status status =
        metric_check_shape(&(closs_shape){spec->samples, spec->classes, 1}, CLOSS_MAX_THRESHOLDS, "", error);
    if (status != CLOSS_OK) return status;
    if (thresholds < 1 || thresholds > CLOSS_MAX_THRESHOLDS)
        return refuse(error, CLOSS_BAD_OPTION, -1, "thresholds is %d: expected 1 .. %d", thresholds,
                      CLOSS_MAX_THRESHOLDS);
    if (spec->kind < CLOSS_SCORE_DICE || spec->kind > CLOSS_SCORE_TWO_CLASS_IOU)
        return refuse(error, CLOSS_BAD_OPTION, -1, "kind is %d: expected a closs_score_kind", (int)spec->kind);
    if (spec->average < CLOSS_AVERAGE_MACRO || spec->average > CLOSS_AVERAGE_MICRO_PER_SAMPLE)
        return refuse(error, CLOSS_BAD_OPTION, -1, "average is %d: expected a closs_average", (int)spec->average);
    if (spec->empty < CLOSS_EMPTY_EXCLUDED || spec->empty > CLOSS_EMPTY_ABSENT_EXCLUDED)
        return refuse(error, CLOSS_BAD_OPTION, -1, "empty is %d: expected a closs_empty", (int)spec->empty);
    if (spec->first_class < 0 || spec->first_class >= spec->classes)
        return refuse(error, CLOSS_BAD_OPTION, -1, "first_class is %lld: expected 0 to %lld",
                      (long long)spec->first_class, (long long)(spec->classes - 1));
    return CLOSS_OK;
}

// No count is negative, and those of a threshold can be added up.
static closs_status check_counts(const closs_counts *counts, int64_t groups, int thresholds, closs_error *error) {
    static const char *const names[] = {"true_positives", "false_positives", "false_negatives", "true_negatives"};
    for (int k = 0; k < thresholds; k++) {
        int64_t all = 0;
        for (int64_t i = k; i < groups * thresholds; i += thresholds) {
            const closs_counts *c = &counts[i];
            const int64_t of[] = {c->true_positives, c->false_positives, c->false_negatives, c->true_negatives};
            for (int m = 0; m < 4; m++) {
                if (of[m] < 0)
                    return refuse(error, CLOSS_OUT_OF_RANGE, i, "counts[%lld].%s is %lld: expected a count, 0 or more",
                                  (long long)i, names[m], (long long)of[m]);
                if (__builtin_add_overflow(all, of[m], &all))
                    return refuse(error, CLOSS_OUT_OF_RANGE, i,
                                  "counts[%lld].%s is %lld: expected a sum below 2^63 over samples and classes",
                                  (long long)i, names[m], (long long)of[m]);
            }
        }
    }
    return CLOSS_OK;
}

// Counts of a sample and class at one threshold lie `step` apart.
static double score_at(const closs_score_spec *s, const closs_counts *counts, int step) {
    const int per_sample = s->average >= CLOSS_AVERAGE_MACRO_PER_SAMPLE;
    const int micro = s->average == CLOSS_AVERAGE_MICRO || s->average == CLOSS_AVERAGE_MICRO_PER_SAMPLE;
    const int64_t outer = per_sample ? s->samples : 1, inner = per_sample ? 1 : s->samples;
    present_mean whole = {0};
    for (int64_t group = 0; group < outer; group++) {
        closs_counts all = {0};
        present_mean classes = {0};
        for (int64_t c = s->first_class; c < s->classes; c++) {
            closs_counts of_class = {0};
            for (int64_t n = group; n < group + inner; n++) add_counts(&of_class, counts + (n * s->classes + c) * step);
            add_counts(&all, &of_class);
            if (!micro) add_present(&classes, closs_score(&of_class, s->kind, s->empty));
        }
        add_present(&whole, micro ? closs_score(&all, s->kind, s->empty) : mean_of(&classes));
    }
    return mean_of(&whole);
}

NOT_INLINED static closs_status scores(const closs_score_spec *spec, const closs_counts *counts, size_t counts_count,
                                       double *values, size_t values_count, double *mean, closs_error *error) {
    if (!spec) return refuse(error, CLOSS_NULL_POINTER, -1, "spec is NULL");
    const int thresholds = spec->thresholds ? spec->thresholds : 1;
    closs_status status = check_scores(spec, thresholds, error);
    if (status != CLOSS_OK) return status;
    const size_t expected = (size_t)(spec->samples * spec->classes) * (size_t)thresholds;
    status = check_elements("counts", counts, counts_count, expected, error);
    if (status == CLOSS_OK) status = check_elements("values", values, values_count, (size_t)thresholds, error);
    if (status != CLOSS_OK) return status;
    const memory_range ranges[] = {{"counts", counts, expected * sizeof *counts, 0},
                                   {"values", values, values_count * sizeof *values, 1},
                                   {"mean", mean, sizeof *mean, 1}};
    status = check_disjoint(ranges, 3, error);
    if (status == CLOSS_OK) status = check_counts(counts, spec->samples * spec->classes, thresholds, error);
    if (status != CLOSS_OK) return status;
    present_mean over_thresholds = {0};
    for (int k = 0; k < thresholds; k++) {
        values[k] = score_at(spec, counts + k, thresholds);
        add_present(&over_thresholds, values[k]);
    }
    if (mean) *mean = mean_of(&over_thresholds);
    return accepted(error);
}

closs_status closs_scores(const closs_score_spec *spec, const closs_counts *counts, size_t counts_count, double *values,
                          size_t values_count, double *mean, closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status = scores(spec, counts, counts_count, values, values_count, mean, error);
    environment_leave(callers);
    return status;
}
