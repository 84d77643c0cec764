#include "terms/lovasz.h"

#include "terms/classes.h"

#pragma STDC FP_CONTRACT OFF

int is_lovasz(closs_term_kind kind) { return kind == CLOSS_LOVASZ_SOFTMAX || kind == CLOSS_LOVASZ_HINGE; }

int lovasz_per_batch(const closs_lovasz *term) {
    return term->scope == CLOSS_PER_BATCH || term->scope == CLOSS_PER_BATCH_POOLED;
}

int lovasz_pooled(const closs_lovasz *term) {
    return term->scope == CLOSS_PER_SAMPLE_POOLED || term->scope == CLOSS_PER_BATCH_POOLED;
}

void lovasz_take_classes(const closs_lovasz *term, int64_t classes, uint64_t *taken) {
    take_classes(term->classes, term->exclude_background, classes, taken);
}

static const closs_lovasz *term_of(const closs_plan *plan) { return &plan->lovasz->of.lovasz; }

lovasz_layout lovasz_layout_of(const closs_plan *plan) {
    const closs_lovasz *term = term_of(plan);
    const int64_t samples = plan->shape.samples, classes = plan->shape.classes;
    const int batch = lovasz_per_batch(term), pooled = lovasz_pooled(term);
    lovasz_layout l = {.row = (plan->shape.voxels + BLOCK_VOXELS - 1) / BLOCK_VOXELS * BLOCK_VOXELS};
    // A class of the batch lies side by side over the samples; otherwise the order is that of the logits.
    l.sample = batch && !pooled ? l.row : classes * l.row;
    l.class = batch && !pooled ? samples * l.row : l.row;
    l.groups = batch ? 1 : samples;
    l.problems = pooled ? 1 : classes;
    l.values = (batch ? samples : 1) * (pooled ? classes : 1) * l.row;
    return l;
}

size_t lovasz_totals_words(const closs_plan *plan) {
    if (!plan->lovasz) return 0;
    lovasz_layout l = lovasz_layout_of(plan);
    return (size_t)(l.groups * l.problems) * LOVASZ_WORDS;
}

size_t lovasz_coefficients_words(const closs_plan *plan) {
    return plan->lovasz ? (size_t)(plan->shape.samples * plan->shape.classes) : 0;
}

int64_t *lovasz_words(const closs_plan *plan, int64_t *totals, int64_t group, int64_t problem) {
    lovasz_layout l = lovasz_layout_of(plan);
    return totals + plan->totals.lovasz + (group * l.problems + problem) * LOVASZ_WORDS;
}

int lovasz_counts(const closs_plan *plan, int64_t problem, int64_t foreground) {
    const closs_lovasz *term = term_of(plan);
    if (term->present_only && foreground == 0) return 0;
    return lovasz_pooled(term) || lovasz_takes(&plan->formula, problem);
}

// 2^exponent, of a normal Double.
static double power_of_two(int64_t exponent) {
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

// L of a problem.
static double problem_loss(const int64_t *words) {
    double sum = (double)words[LOVASZ_QUANTA] * 0x1p-48 + (double)words[LOVASZ_REST] * 0x1p-80;
    return sum * power_of_two(words[LOVASZ_EXPONENT] - 126);
}

static double class_weight(const closs_plan *plan, int64_t class) {
    const closs_lovasz *term = term_of(plan);
    return term->class_weights ? term->class_weights[class] : 1;
}

static const int64_t *words_of(const closs_plan *plan, const int64_t *totals, int64_t group, int64_t problem) {
    return lovasz_words(plan, (int64_t *)totals, group, problem);
}

// Arithmetic 8.8.3 of one group. `divisor` gets the number of problems that count.
static double group_value(const closs_plan *plan, const int64_t *totals, int64_t group, double *divisor,
                          double *per_class) {
    double sum = 0;
    *divisor = 0;
    for (int64_t i = 0; i < lovasz_layout_of(plan).problems; i++) {
        const int64_t *words = words_of(plan, totals, group, i);
        if (!lovasz_counts(plan, i, words[LOVASZ_FOREGROUND])) continue;
        double loss = problem_loss(words);
        sum += class_weight(plan, i) * loss;
        *divisor += 1;
        if (per_class) per_class[i] += loss;
    }
    return *divisor > 0 ? sum / *divisor : 0;
}

// K of the group's samples and classes.
static void store_coefficients(const closs_plan *plan, const int64_t *totals, int64_t group, double share,
                               int64_t *coefficients) {
    const lovasz_layout l = lovasz_layout_of(plan);
    const int64_t samples = plan->shape.samples / l.groups, classes = plan->shape.classes;
    for (int64_t c = 0; c < classes; c++) {
        int64_t problem = l.problems == classes ? c : 0;
        const int64_t *words = words_of(plan, totals, group, problem);
        if (!lovasz_counts(plan, problem, words[LOVASZ_FOREGROUND])) continue;
        for (int64_t s = 0; s < samples; s++)
            store_double(&coefficients[plan->coefficients.lovasz + (group * samples + s) * classes + c],
                         share * class_weight(plan, c));
    }
}

double lovasz_finish(const closs_plan *plan, const int64_t *totals, int64_t *coefficients, double *per_class) {
    const int64_t groups = lovasz_layout_of(plan).groups;
    double *parts = lovasz_pooled(term_of(plan)) ? 0 : per_class;
    double sum = 0, divisor;
    for (int64_t group = 0; group < groups; group++) {
        sum += group_value(plan, totals, group, &divisor, parts);
        if (coefficients && divisor > 0)
            store_coefficients(plan, totals, group, plan->lovasz->weight / (double)groups / divisor, coefficients);
    }
    for (int64_t c = 0; parts && c < plan->shape.classes; c++) parts[c] /= (double)groups;
    return sum / (double)groups;
}

double lovasz_sample_value(const closs_plan *plan, const int64_t *totals, int64_t sample) {
    double unused;
    return lovasz_per_batch(term_of(plan)) ? 0 : group_value(plan, totals, sample, &unused, 0);
}

void lovasz_scaled_coefficients(const closs_plan *plan, const int64_t *coefficients, int64_t sample,
                                int64_t first_class, int64_t count, float scale, float *scaled) {
    const int64_t *words = coefficients + plan->coefficients.lovasz + sample * plan->shape.classes + first_class;
    for (int64_t c = 0; c < count; c++) scaled[c] = (float)load_double(&words[c]) * scale;
}
