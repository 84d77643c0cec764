/* A probability map and a threshold map with what they should be, and the options of DBNet's loss of them, drawn from a
 * seed. */
#ifndef CORPUS_BINARIZATION_MAPS_H
#define CORPUS_BINARIZATION_MAPS_H

#include <closs.h>

#include <stddef.h>
#include <stdint.h>

typedef struct two_maps {
    char name[160];
    closs_binarization_spec spec;
    closs_binarization_batch batch; /* its maps lie apart, contiguous */
    closs_write write;
    float scale;
    size_t values;    /* of one map */
    float *inputs[2]; /* the probability map and the threshold map, or their logits */
    float *starts[2]; /* what the gradients' memory holds before */
    float *threshold_map;
    void *targets;
    uint8_t *mask, *threshold_mask;
} two_maps;

two_maps draw_binarization(uint64_t seed, closs_activation activation, closs_binarization_main main, int64_t samples,
                           int64_t voxels);

void free_binarization(two_maps *m);

#endif
