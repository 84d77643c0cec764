// The Lovasz term: one problem for each class of a group, or with a pooled scope one for the group; a group is one
// sample or the batch (arithmetic 8.8).
#ifndef CLOSS_TERMS_LOVASZ_H
#define CLOSS_TERMS_LOVASZ_H

#include "terms/plan.h"

// Words of a problem among the totals. Its loss is (LOVASZ_QUANTA * 2^-48 + LOVASZ_REST * 2^-80) * s, s the power of two
// above its largest error.
enum { LOVASZ_QUANTA, LOVASZ_REST, LOVASZ_EXPONENT, LOVASZ_FOREGROUND, LOVASZ_WORDS };

// How the errors lie, which the slopes take the place of: the values of a problem side by side, rows of whole blocks.
typedef struct lovasz_layout {
    int64_t row; // values of a sample's class
    int64_t sample, class;
    int64_t groups, problems; // problems of each group
    int64_t values;           // of a problem, what rows are filled up with among them
} lovasz_layout;

// Whether the kind is one of these terms.
int is_lovasz(closs_term_kind kind);

// Whether the term ranks the whole batch together.
int lovasz_per_batch(const closs_lovasz *term);

// Whether all classes are one.
int lovasz_pooled(const closs_lovasz *term);

// The classes that take part, a bit for each.
void lovasz_take_classes(const closs_lovasz *term, int64_t classes, uint64_t *taken);

lovasz_layout lovasz_layout_of(const closs_plan *plan);

size_t lovasz_totals_words(const closs_plan *plan);
size_t lovasz_coefficients_words(const closs_plan *plan);

// The words of a problem of a group.
int64_t *lovasz_words(const closs_plan *plan, int64_t *totals, int64_t group, int64_t problem);

// Whether a problem with so much foreground counts.
int lovasz_counts(const closs_plan *plan, int64_t problem, int64_t foreground);

// The term's value; its coefficients and the classes' losses (NULL: not wanted).
double lovasz_finish(const closs_plan *plan, const int64_t *totals, int64_t *coefficients, double *per_class);

// What the term is of one sample alone; 0 where the samples are ranked together.
double lovasz_sample_value(const closs_plan *plan, const int64_t *totals, int64_t sample);

// K of `count` classes of a sample as a kernel takes them: floats times the caller's scale.
void lovasz_scaled_coefficients(const closs_plan *plan, const int64_t *coefficients, int64_t sample,
                                int64_t first_class, int64_t count, float scale, float *scaled);

#endif
