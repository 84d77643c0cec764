// The surfaces of a class in two label maps, and how far they are apart (arithmetic 15.4).
#ifndef CLOSS_DRIVER_SURFACE_PASSES_H
#define CLOSS_DRIVER_SURFACE_PASSES_H

#include "kernels/distance_job.h"
#include "kernels/metric_job.h"
#include "sums/order_statistics.h"

enum { PREDICTED, TRUTH, SURFACES };

// One sample and class. Memory that passes write is sized for the whole sample.
typedef struct surface_pass {
    const metric_kernels *kernels;
    const distance_kernels *distance;
    const distance_job *whole; // of the whole sample, with its metric
    distance_job box;          // of what the class reaches
    int64_t corner[3];         // where that begins: plane, row, column
    int threads;
    closs_target types[SURFACES];
    const char *labels[SURFACES]; // of the sample
    metric_labels excluded;       // what of the sample's targets does not count
    int64_t label;
    uint8_t *members[SURFACES]; // [voxels]
    int32_t *ends;              // [rows of the sample][2]: of each row the first column of either class, and the last
    uint8_t *surfaces;          // [SURFACES][voxels of the box]
    float *maps;                // [SURFACES][voxels of the box]: the squared distances to each surface
    const uint8_t *nothing;     // a row of 0
    char *blocks;               // [rooms] of the distance transform
    int rooms;
    void *squares;
} surface_pass;

// Of the distances from one surface to the other.
typedef struct surface_sums {
    int64_t count;
    float largest; // squared
    double sum;    // of the distances, in the voxels' order
    const float *squared;
} surface_sums;

// Gives back 0 where one of the surfaces, or both, are missing: `found` says which are there.
int run_surface(surface_pass *pass, surface_sums sums[SURFACES], int found[SURFACES]);

#endif
