/* The values that buffers are filled with: logits, probabilities and targets. */
#ifndef CORPUS_INPUTS_H
#define CORPUS_INPUTS_H

#include <closs.h>

#include <stddef.h>

#include "random.h"

/* Kinds of logits: a network's; many ties; saturated ones; and every magnitude down to subnormals and both zeros. */
enum { INPUT_KINDS = 4 };

const char *input_kind_name(int kind);

float draw_probability(random_numbers *r, int kind);

/* A logit, or a probability where the activation asks for one. */
float draw_input(random_numbers *r, closs_activation activation, int kind);

int is_dense(closs_target target);

size_t target_bytes(closs_target target);

/* Writes a label of any of the types, or a dense one of a byte. */
void set_label(void *targets, closs_target target, size_t i, int64_t label);

#endif
