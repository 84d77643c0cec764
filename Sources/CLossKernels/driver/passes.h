// The passes over a part that the verbs are made of. Each returns where it met a value that must be refused.
#ifndef CLOSS_DRIVER_PASSES_H
#define CLOSS_DRIVER_PASSES_H

#include "driver/part.h"
#include "driver/sweep.h"

// Sums of the pointwise and region terms, added to `totals`.
sweep_fault totals_pass(const part *p, int64_t *totals);

// Beside region terms, losses whose slopes are made of them (focal ones) are added up with the gradient, or all would be
// computed twice: it waits for the region's sums, but of these losses only for what they are divided by. Where that can
// be,
int losses_can_wait(const part *p);

// ... first come the region's sums and the counts. 0: something is to be refused, or some logit so large that a loss
// might be; then the totals are of no use.
int bounded_region_pass(const part *p, int64_t *totals);

// ... then the gradient, and with it the losses.
void gradient_and_losses_pass(const part *p, const int64_t *coefficients, const closs_gradient_buffer *gradient,
                              int64_t *totals);

// Reads without computing. Adds weights and counts to `totals` (NULL: not wanted), and tells the largest magnitude of a
// logit and the largest voxel weight.
typedef struct survey_found {
    float largest_logit, largest_weight, largest_map;
} survey_found;

sweep_fault survey_pass(const part *p, int with_logits, int64_t *totals, survey_found *found);

// The gradient. `tie_ends` has room for a word for each sample of the part; `balanced_losses` (NULL: not wanted) for
// two, to which the losses that the balanced term takes are added.
void gradient_pass(const part *p, const int64_t *coefficients, const closs_gradient_buffer *gradient, int64_t *tie_ends,
                   int64_t *balanced_losses);

// Writes the unreduced losses of the pointwise terms, or of one (-1: all): [samples][rows][voxels] of the part, which
// is known to be good.
void loss_map_pass(const part *p, int term, float *map);

// Totals and gradient of pointwise terms in one sweep.
sweep_fault combined_pass(const part *p, const int64_t *coefficients, const closs_gradient_buffer *gradient,
                          int64_t *totals);

#endif
