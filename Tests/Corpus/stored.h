/* Logits and gradients as halves and bfloat16. */
#ifndef CORPUS_STORED_H
#define CORPUS_STORED_H

#include <closs.h>

#include <stddef.h>

size_t stored_bytes(closs_float type);

/* Makes every value one that the type holds: the nearest of no greater magnitude. */
void cut_to_type(closs_float type, float *values, size_t count);

/* The values, which the type must hold, in memory of their own. */
void *store(closs_float type, const float *values, size_t count);

#endif
