/* Random options of terms, by families. Each adds to the problem's name what tells it from others. */
#ifndef CORPUS_TERMS_H
#define CORPUS_TERMS_H

#include "problem.h"

/* A term of a kind, or of the nearest that the activation allows. */
void draw_term(problem *p, random_numbers *r, closs_term *t, closs_term_kind kind);

/* Options that terms of several families have. */
closs_divisor draw_divisor(random_numbers *r, double *value);
closs_divisor draw_channel_divisor(random_numbers *r, double *value);
const float *draw_class_weights(problem *p, random_numbers *r, size_t *count);

/* `share` is an eighth, or several: from 0 to 1. */
void draw_cross_entropy(problem *p, random_numbers *r, closs_cross_entropy *of, double share);
void draw_binary_cross_entropy(problem *p, random_numbers *r, closs_binary_cross_entropy *of);
void draw_focal(problem *p, random_numbers *r, closs_focal *of, double share);
void draw_focal_star(problem *p, random_numbers *r, closs_focal_star *of, double share);
void draw_probability_error(problem *p, random_numbers *r, closs_probability_error *of, closs_term_kind kind,
                            double share);
void draw_linear_map(problem *p, random_numbers *r, closs_linear_map *of);

void draw_dice(problem *p, random_numbers *r, closs_region *of, double share);
void draw_region(problem *p, random_numbers *r, closs_region *of, closs_term_kind kind, double share);

void draw_balanced_binary_cross_entropy(problem *p, random_numbers *r, closs_balanced_binary_cross_entropy *of);
void draw_balanced_l1(problem *p, random_numbers *r, closs_balanced_l1 *of);
void draw_top_k(problem *p, random_numbers *r, closs_top_k *of);
void draw_ohem(problem *p, random_numbers *r, closs_ohem *of, double share);

void draw_distance_term(problem *p, random_numbers *r, closs_distance_term *of, closs_term_kind kind);

void draw_lovasz(problem *p, random_numbers *r, closs_lovasz *of, closs_term_kind kind);

/* Draws options that few losses have, for all terms of a problem: terms_rare.c. */
void add_rare_options(problem *p, random_numbers *r);

#endif
