// Region terms: formulas of I = sum p g, P = sum p, G = sum g and the like, of each sample and class.
#ifndef CLOSS_TERMS_REGION_H
#define CLOSS_TERMS_REGION_H

#include "terms/plan.h"

enum { REGION_WORDS = 14 }; // I, P, S, G, H, M, V of one (sample, class), two words each

// The gradient's coefficients of one (sample, class).
enum { COEFFICIENT_A, COEFFICIENT_B, COEFFICIENT_Q, COEFFICIENT_M, REGION_COEFFICIENTS };

// What a kernel takes of them (arithmetic 7.2.7): T and B, T + M and B + M, Q.
enum { SLOPE_TARGET, SLOPE_OTHER, SLOPE_TARGET_BELOW, SLOPE_OTHER_BELOW, SLOPE_SQUARE, REGION_SLOPES };

size_t region_totals_words(const closs_plan *plan);
size_t region_coefficients_words(const closs_plan *plan);

// Adds what a run came to; `first_class` is the class of the run's first sums.
void region_add(const closs_plan *plan, int64_t sample, int64_t first_class, int64_t class_count, closs_target target,
                const run_sums *sums, int64_t *totals);

// A term's value; adds its part of the coefficients (NULL: not wanted) and of `per_class` (NULL: likewise).
double region_finish(const closs_plan *plan, const closs_term *term, const int64_t *totals, int64_t *coefficients,
                     double *per_class);

// What the term is of one sample alone.
double region_sample_value(const closs_plan *plan, const closs_term *term, const int64_t *totals, int64_t sample);

// The slopes of `count` classes of a sample as a kernel takes them: floats times the caller's scale,
// [REGION_SLOPES][count]; `hard`: of labels or bytes.
void region_scaled_slopes(const closs_plan *plan, const int64_t *coefficients, int64_t sample, int64_t first_class,
                          int64_t count, int hard, float scale, float *scaled);

#endif
