// The sweeps over two maps (arithmetic 10).
#ifndef CLOSS_DRIVER_BINARIZATION_PASSES_H
#define CLOSS_DRIVER_BINARIZATION_PASSES_H

#include "driver/part.h"

// Two maps of a batch; the run is its first sample's, strides lead from one sample to the next.
typedef struct binarization_maps {
    binarization_run first;
    int64_t samples;
    int64_t map_stride, threshold_stride, map_gradient_stride, threshold_gradient_stride;
    const closs_plan *map_plan, *threshold_plan;
} binarization_maps;

// What the maps add up to: totals of each map's plan, as its own passes would add them, but for the search for the
// hardest negatives; and the sums of the binary map.
typedef struct binarization_totals_words {
    int64_t *map, *threshold;
    int64_t product[2], binary[2], target[2]; // I, B and G
    int64_t positives, negatives;
} binarization_totals_words;

// Adds to the totals. Not 0 where it met a value that must be refused; which one the maps' own passes tell.
int binarization_totals_pass(const binarization_maps *maps, binarization_totals_words *totals);

// Coefficients of each map's plan, and of the binary map with the scale in them.
typedef struct binarization_scaled {
    const int64_t *map, *threshold;
    const int64_t *tie_ends; // of each sample
    float scale;
    float binary_target, binary_constant; // A and C
} binarization_scaled;

// Writes both gradients. `balanced_losses` gets the losses that a balanced term takes, two words for each sample.
void binarization_gradient_pass(const binarization_maps *maps, const binarization_scaled *scaled,
                                int64_t *balanced_losses);

#endif
