/* Buffers whose elements lie otherwise than the batch of a problem has them. */
#ifndef CORPUS_VIEWS_H
#define CORPUS_VIEWS_H

#include "problem.h"

typedef struct laid_buffer {
    closs_view view;
    size_t size, count; /* of an element; elements */
    char *values;
} laid_buffer;

enum { CONTIGUOUS, CHANNELS_LAST, CROP, EVERY_SECOND, VIEWS };

enum { GAP = 0x5a }; /* every byte between the elements */

/* A copy of [samples][channels][voxels], if there is one, as a view of that kind has it. Masks, weights and labels have
 * no channels: 0. */
laid_buffer lay_out(const void *contiguous, size_t size, const problem *p, int64_t channels, int kind);

/* Between [samples][channels][voxels] and where the elements lie: there, or back. */
void copy_elements(const laid_buffer *b, char *contiguous, const problem *p, int64_t channels, int back);

#endif
