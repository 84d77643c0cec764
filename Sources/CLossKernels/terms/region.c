#include "terms/region.h"

#include "sums/wide.h"

typedef struct region_sums {
    double product, probability, square, target, target_square; // I, P, S, G, H
} region_sums;

size_t region_totals_words(const closs_plan *plan) {
    return plan->formula.region ? (size_t)(plan->shape.samples * plan->shape.classes) * REGION_WORDS : 0;
}

size_t region_coefficients_words(const closs_plan *plan) {
    return plan->formula.region ? (size_t)(plan->shape.samples * plan->shape.classes) * REGION_COEFFICIENTS : 0;
}

void region_add(const closs_plan *plan, int64_t sample, int64_t first_class, int64_t class_count, closs_target target,
                const run_sums *sums, int64_t *totals) {
    int64_t *words = totals + plan->totals.region + (sample * plan->shape.classes + first_class) * REGION_WORDS;
    for (int64_t c = 0; c < class_count; c++, words += REGION_WORDS) {
        const class_sums *s = &sums->classes[c];
        __int128 labels = wide_from_count(s->count, PROBABILITY_QUANTUM);
        int soft = target == CLOSS_DENSE_F32;
        wide_add_shared(words, s->product);
        wide_add_shared(words + 2, s->probability);
        if (plan->formula.squares) wide_add_shared(words + 4, s->square);
        wide_add_shared(words + 6, soft ? s->target : labels);
        if (plan->formula.squares) wide_add_shared(words + 8, soft ? s->target_square : labels);
    }
}

// The totals of one sample, or of all of them as integers.
static region_sums sums_of(const closs_plan *plan, const int64_t *totals, closs_scope scope, int64_t sample,
                           int64_t class) {
    int64_t first = scope == CLOSS_PER_BATCH ? 0 : sample;
    int64_t end = scope == CLOSS_PER_BATCH ? plan->shape.samples : sample + 1;
    __int128 wide[REGION_WORDS / WIDE_WORDS] = {0};
    for (int64_t s = first; s < end; s++)
        for (int i = 0; i < REGION_WORDS / WIDE_WORDS; i++)
            wide[i] += wide_value(totals + plan->totals.region + (s * plan->shape.classes + class) * REGION_WORDS +
                                  i * WIDE_WORDS);
    double value[REGION_WORDS / WIDE_WORDS];
    for (int i = 0; i < REGION_WORDS / WIDE_WORDS; i++) value[i] = wide_double(wide[i], PROBABILITY_QUANTUM);
    return (region_sums){value[0], value[1], value[2], value[3], value[4]};
}

static void add_double(int64_t *word, double value) { store_double(word, load_double(word) + value); }

// Arithmetic 7.2: the coefficients of one class, added to those of the samples first .. end - 1.
static void add_dice_coefficients(const closs_plan *plan, const closs_dice *dice, double factor, double num, double den,
                                  int64_t first, int64_t end, int64_t class, int64_t *coefficients) {
    double by_target = -(factor * 2) / den;
    double by_size =
        dice->denominator == CLOSS_SQUARED ? (factor * 2) * ((num / den) / den) : factor * ((num / den) / den);
    for (int64_t s = first; s < end; s++) {
        int64_t *words =
            coefficients + plan->coefficients.region + (s * plan->shape.classes + class) * REGION_COEFFICIENTS;
        add_double(&words[0], by_target);
        add_double(&words[dice->denominator == CLOSS_SQUARED ? 2 : 1], by_size);
    }
}

double dice_finish(const closs_plan *plan, const closs_term *term, const int64_t *totals, int64_t *coefficients,
                   double *per_class) {
    const closs_dice *dice = &term->of.dice;
    int64_t first_class = dice->exclude_background ? 1 : 0;
    int64_t groups = dice->scope == CLOSS_PER_BATCH ? 1 : plan->shape.samples;
    double parts = (double)groups * (double)(plan->shape.classes - first_class);
    double value = 0;
    for (int64_t s = 0; s < groups; s++)
        for (int64_t c = first_class; c < plan->shape.classes; c++) {
            double weight = dice->class_weights ? dice->class_weights[c] : 1;
            region_sums sums = sums_of(plan, totals, dice->scope, s, c);
            double num = 2 * sums.product + dice->smooth_numerator;
            double size =
                dice->denominator == CLOSS_SQUARED ? sums.square + sums.target_square : sums.probability + sums.target;
            double den = size + dice->smooth_denominator;
            double loss = den > 0 ? 1 - num / den : 0;
            value += weight * loss;
            if (per_class) per_class[c] += loss;
            if (coefficients && den > 0)
                add_dice_coefficients(plan, dice, (term->weight * weight) / parts, num, den, s,
                                      groups == 1 ? plan->shape.samples : s + 1, c, coefficients);
        }
    for (int64_t c = 0; per_class && c < plan->shape.classes; c++) per_class[c] /= (double)groups;
    return value / parts;
}

void region_scaled_coefficients(const closs_plan *plan, const int64_t *coefficients, int64_t sample,
                                int64_t first_class, int64_t count, float scale, float *scaled) {
    const int64_t *words =
        coefficients + plan->coefficients.region + (sample * plan->shape.classes + first_class) * REGION_COEFFICIENTS;
    for (int64_t c = 0; c < count; c++)
        for (int i = 0; i < REGION_COEFFICIENTS; i++)
            scaled[i * count + c] = (float)load_double(&words[c * REGION_COEFFICIENTS + i]) * scale;
}
