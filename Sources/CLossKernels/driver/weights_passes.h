// Weight maps over samples, lines and threads (arithmetic 14).
#ifndef CLOSS_DRIVER_WEIGHTS_PASSES_H
#define CLOSS_DRIVER_WEIGHTS_PASSES_H

#include "kernels/weights_job.h"

// The words of a sample's sums: those of the exponentials' total (6.4), and the voxels of the border.
enum { BOX_SUM_WORDS = 3 };

typedef struct box_maps {
    const box_job *job;
    const weight_kernels *kernels;
    const char *labels;
    int64_t samples;
    int threads;
    char *rooms;              // [threads]
    const box_values *values; // [samples]; NULL where they wait for the sums
    box_map map;              // of all samples
    int64_t *sums;            // [samples][BOX_SUM_WORDS], added to; NULL where values are known
} box_maps;

void box_weights_pass(const box_maps *maps);

// Of a map that waited for its values.
void box_scale_pass(const box_maps *maps);

// One sample.
typedef struct cells_map {
    const cells_job *job;
    const weight_kernels *kernels;
    const char *labels;
    int threads, rooms; // blocks are worked on by as many threads as there are rooms
    cells_near near;
    char *blocks; // [rooms]
    double background_weight, cell_weight;
    int balanced;
    float *map;
} cells_map;

void cells_weights_pass(const cells_map *map);

// `counts`, [class_count], are added to; gives back the first label that is no class, or -1.
int64_t class_counts_pass(const class_labels *l, const weight_kernels *kernels, int threads, const char *labels,
                          int64_t voxels, int64_t *counts);

void class_map_pass(const class_labels *l, const weight_kernels *kernels, int threads, const char *labels,
                    int64_t voxels, const float *weights, float *map);

#endif
