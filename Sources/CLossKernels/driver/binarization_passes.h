// The sweeps over two maps (arithmetic 10).
#ifndef CLOSS_DRIVER_BINARIZATION_PASSES_H
#define CLOSS_DRIVER_BINARIZATION_PASSES_H

#include "terms/plan.h"

enum { BINARIZATION_WORDS = 6 }; // I, B and G, two words each

// Two maps of a batch; the run is its first sample's, strides lead from one sample to the next.
typedef struct binarization_maps {
    binarization_run first;
    int64_t samples;
    int64_t map_stride, threshold_stride, map_gradient_stride, threshold_gradient_stride;
    const kernels *kernels;
    int threads;
} binarization_maps;

// Adds to BINARIZATION_WORDS words.
void binarization_totals_pass(const binarization_maps *maps, int64_t *words);

// Adds to the gradients.
void binarization_gradient_pass(const binarization_maps *maps, float target, float constant);

#endif
