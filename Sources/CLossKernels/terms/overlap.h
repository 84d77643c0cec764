// The formulas of the region terms: from the sums of one class (or of several, pooled) to a score, 1 where prediction
// and target agree, and its derivatives. What becomes of the score is region.c's affair.
//
// A new region term is a kind in closs.h and a function here.
#ifndef CLOSS_TERMS_OVERLAP_H
#define CLOSS_TERMS_OVERLAP_H

#include "include/closs.h"
#include "names.h"

typedef struct overlap_sums {
    double product;               // I, or sum min(p, g)
    double prediction, square;    // P, S
    double target, target_square; // G, H
    double valid;                 // V
} overlap_sums;

typedef struct overlap_score {
    double score;
    double by_product, by_prediction, by_square;
} overlap_score;

// Not 0 for a kind of term that is made of these sums.
int is_region(closs_term_kind kind);

// Not 0 where a class is one that the term is of.
int region_takes_part(const closs_region *term, int64_t class);

overlap_score overlap(closs_term_kind kind, const closs_region *term, const overlap_sums *sums);

#endif
