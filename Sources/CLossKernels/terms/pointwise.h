// Pointwise terms: sums of losses that need their own voxel only, divided by a weight or a count.
#ifndef CLOSS_TERMS_POINTWISE_H
#define CLOSS_TERMS_POINTWISE_H

#include "terms/plan.h"

// Of one row of one term: loss and weight, two words each; then, of plans with terms that keep rests, those of both.
enum { POINTWISE_LOSS = 0, POINTWISE_WEIGHT = 2, POINTWISE_WORDS = 4 };

size_t pointwise_totals_words(const closs_plan *plan);

// Words of the parts by class, if they are asked for; there too rests stand behind.
size_t pointwise_parts_words(const closs_plan *plan);

// Adds what a run of a sample came to; `row` is 0 for softmax, else the channel.
void pointwise_add_losses(const closs_plan *plan, int64_t sample, int64_t row, const run_sums *sums, int64_t *totals);
void pointwise_add(const closs_plan *plan, int64_t sample, int64_t row, int with_weights, const run_sums *sums,
                   int64_t *totals);

size_t pointwise_coefficients_words(const closs_plan *plan);

// The word of the coefficient that a factor's derivative has, of a plan with terms divided by their factors.
size_t pointwise_factor_coefficient(const closs_plan *plan, int k, int64_t row);

// The word of a term's coefficient at a row.
size_t pointwise_coefficient(const closs_plan *plan, int k, int64_t row);

// A term's value, its coefficients (NULL: not wanted) and its parts by channel or class (NULL: likewise).
double pointwise_finish(const closs_plan *plan, size_t term, const int64_t *totals, int64_t *coefficients,
                        double *per_class);

// What the term is of one sample alone. For plans that keep totals by sample.
double pointwise_sample_value(const closs_plan *plan, size_t term, const int64_t *totals, int64_t sample);

// What the losses of a row's map are multiplied by: of one of the plan's terms, or (-1) of all.
loss_map_factors pointwise_map_factors(const closs_plan *plan, int term, int64_t row);

// A bound of what such a map can hold, from the largest voxel weight and magnitude of a map there are; the losses
// themselves are known to be good.
double pointwise_map_bound(const closs_plan *plan, int term, float largest_weight, float largest_map);

// Not 0 where every term's divisor is known before anything is read.
int pointwise_divisors_known(const closs_plan *plan, const closs_batch *batch);

// Adds the words that the divisors of such a batch read, and no others that are right.
void pointwise_add_known(const closs_plan *plan, int64_t *totals);

// A bound of the loss at any voxel, from the largest logit, voxel weight and magnitude of a map there are.
double pointwise_loss_bound(const closs_plan *plan, float largest_logit, float largest_weight, float largest_map);

#endif
