// What a Hausdorff loss's maps are made with: the kernels' vocabulary for it (arithmetic 13).
#ifndef CLOSS_KERNELS_HAUSDORFF_JOB_H
#define CLOSS_KERNELS_HAUSDORFF_JOB_H

#include <stdint.h>

#include "include/closs.h"
#include "names.h"

// What makes a Hausdorff loss's map of the squared distances of both sides (arithmetic 13.4).
typedef struct hausdorff_power {
    closs_sides sides;
    float alpha;
    float half_alpha;
    float scale; // of the map
} hausdorff_power;

// A Hausdorff loss's own kernels, of one instruction set.
struct formula;
struct run;
typedef struct hausdorff_kernels {
    // The voxels that are predicted to be each class's: 1 or 0 in masks[class * stride + voxel]. Targets, mask and
    // weights of the run are not looked at.
    void (*masks)(const struct formula *, const struct run *, closs_prediction, uint8_t *masks, int64_t stride);
    // From signed squares of the target, in `map`, and of the prediction to the map's values.
    void (*combine)(const hausdorff_power *, const float *predicted, float *map, int64_t voxels);
} hausdorff_kernels;

extern const hausdorff_kernels hausdorff_kernels_generic;
#if defined(__x86_64__)
extern const hausdorff_kernels hausdorff_kernels_avx2;
extern const hausdorff_kernels hausdorff_kernels_avx512;
#endif

#endif
