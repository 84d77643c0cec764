#include "terms/overlap.h"

#pragma STDC FP_CONTRACT OFF

static const overlap_score PERFECT = {.score = 1};

// num / den, with the derivatives of both by the product and of den by the sizes. A denominator below the least one is
// held there, and no longer depends on anything (arithmetic 7.2.2).
static overlap_score quotient(const closs_region *term, double num, double den, double num_by_product,
                              double den_by_product, double den_by_size) {
    int held = den < term->least_denominator;
    if (held) den = term->least_denominator;
    if (!(den > 0)) return PERFECT;
    double score = num / den, shrink = held ? 0 : -(score / den);
    double by_size = shrink * den_by_size;
    int squared = term->denominator == CLOSS_SQUARED;
    return (overlap_score){score, num_by_product / den + shrink * den_by_product, squared ? 0 : by_size,
                           squared ? by_size : 0};
}

static double size_of_prediction(const closs_region *term, const overlap_sums *s) {
    return term->denominator == CLOSS_SQUARED ? s->square : s->prediction;
}

static double size_of_target(const closs_region *term, const overlap_sums *s) {
    return term->denominator == CLOSS_SQUARED ? s->target_square : s->target;
}

// (2 I + n) / (P + G + d). An intersection below the least one is held there: true positives are then more than they
// are, in both sizes too.
static overlap_score dice(const closs_region *term, const overlap_sums *s) {
    double extra = s->product < term->least_intersection ? term->least_intersection - s->product : 0;
    double size = size_of_prediction(term, s) + size_of_target(term, s);
    double num = 2 * (s->product + extra) + term->smooth_numerator;
    double den = (size + 2 * extra) + term->smooth_denominator;
    return quotient(term, num, den, extra > 0 ? 0 : 2, extra > 0 ? -2 : 0, 1);
}

// (I + n) / (P + G - I + d)
static overlap_score jaccard(const closs_region *term, const overlap_sums *s) {
    double size = size_of_prediction(term, s) + size_of_target(term, s);
    double num = s->product + term->smooth_numerator;
    double den = (size - s->product) + term->smooth_denominator;
    return quotient(term, num, den, 1, -1, 1);
}

// (I + n) / (I + alpha (P - I) + beta (G - I) + d)
static overlap_score tversky(const closs_region *term, const overlap_sums *s) {
    double shared = (1 - term->alpha) - term->beta;
    double sizes = term->alpha * size_of_prediction(term, s) + term->beta * size_of_target(term, s);
    double num = s->product + term->smooth_numerator;
    double den = (shared * s->product + sizes) + term->smooth_denominator;
    return quotient(term, num, den, 1, shared, term->alpha);
}

// (TP TN - FP FN + n) / (sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN) + m) + d), each count with the smoothing; 0 where
// a margin is empty, as is usual, but that a term may count 1 where nothing is wrong.
static overlap_score matthews(const closs_region *term, const overlap_sums *s) {
    if (term->perfect_is_one && s->prediction == s->product && s->target == s->product) return PERFECT;
    double e = term->smooth_counts;
    double tp = s->product + e, fp = (s->prediction - s->product) + e, fn = (s->target - s->product) + e;
    double tn = ((s->valid - s->prediction) - (s->target - s->product)) + e;
    double predicted = tp + fp, positive = tp + fn, negative = tn + fp, rejected = tn + fn;
    double square = (predicted * positive) * (negative * rejected);
    double root = __builtin_sqrt((square > 0 ? square : 0) + term->smooth_product);
    double den = root + term->smooth_denominator;
    if (!(den > 0)) return (overlap_score){0};
    double score = ((tp * tn - fp * fn) + term->smooth_numerator) / den;
    double by_prediction = root > 0 ? ((positive * negative) * (rejected - predicted)) / (2 * root) : 0;
    return (overlap_score){score, ((tp + tn) + (fp + fn)) / den, (-(tp + fn) - score * by_prediction) / den, 0};
}

// 1 - alpha (1 - precision) - beta (1 - recall), the precision (I + n) / (P + d), the recall (I + n) / (G + d).
static overlap_score leaky_dice(const closs_region *term, const overlap_sums *s) {
    double num = s->product + term->smooth_numerator;
    overlap_score precision = quotient(term, num, s->prediction + term->smooth_denominator, 1, 0, 1);
    overlap_score recall = quotient(term, num, s->target + term->smooth_denominator, 1, 0, 0);
    double lost = term->alpha * (1 - precision.score) + term->beta * (1 - recall.score);
    return (overlap_score){1 - lost, term->alpha * precision.by_product + term->beta * recall.by_product,
                           term->alpha * precision.by_prediction, 0};
}

static int names_no_class(const closs_region *term) {
    for (int word = 0; word < CLOSS_MAX_CLASSES / 64; word++)
        if (term->classes[word]) return 0;
    return 1;
}

int region_takes_part(const closs_region *term, int64_t class) {
    if (class == 0 && term->exclude_background) return 0;
    return names_no_class(term) || (term->classes[class / 64] >> (class % 64) & 1);
}

// The generalized Dice is a Dice of weighted sums.
static const struct formula_row {
    closs_term_kind kind;
    overlap_score (*score)(const closs_region *term, const overlap_sums *sums);
    unsigned features;
} FORMULAS[] = {
    {CLOSS_DICE, dice, HAS_SQUARED_DENOMINATOR | HAS_LEAST_DENOMINATOR | HAS_LEAST_INTERSECTION},
    {CLOSS_JACCARD, jaccard, HAS_SQUARED_DENOMINATOR | HAS_LEAST_DENOMINATOR},
    {CLOSS_TVERSKY, tversky, HAS_LEAST_DENOMINATOR},
    {CLOSS_GENERALIZED_DICE, dice, HAS_SQUARED_DENOMINATOR | HAS_LEAST_DENOMINATOR | HAS_LEAST_INTERSECTION},
    {CLOSS_MATTHEWS, matthews, COUNTS_VALID},
    {CLOSS_LEAKY_DICE, leaky_dice, HAS_LEAST_DENOMINATOR},
};

static const struct formula_row *row_of(closs_term_kind kind) {
    for (size_t i = 0; i < sizeof FORMULAS / sizeof *FORMULAS; i++)
        if (FORMULAS[i].kind == kind) return &FORMULAS[i];
    return 0;
}

int is_region(closs_term_kind kind) { return row_of(kind) != 0; }

int overlap_has(closs_term_kind kind, unsigned features) {
    const struct formula_row *row = row_of(kind);
    return row && (row->features & features) == features;
}

overlap_score overlap(closs_term_kind kind, const closs_region *term, const overlap_sums *sums) {
    return row_of(kind)->score(term, sums);
}
