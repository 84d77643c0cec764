// The formulas of the region terms: from the sums of one class (or of several, pooled) to a score, 1 where prediction
// and target agree, and its derivatives. What becomes of the score is region.c's affair.
//
// A new region term is a kind in closs.h, and here a function and its row in a table.
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

// What some formulas have and others have not.
enum {
    HAS_SQUARED_DENOMINATOR = 1,
    HAS_LEAST_DENOMINATOR = 2,
    HAS_LEAST_INTERSECTION = 4,
    COUNTS_VALID = 8 // needs V
};

// Not 0 for a kind of term that is made of these sums.
int is_region(closs_term_kind kind);

// Not 0 for a region term whose formula has all of `features`.
int overlap_has(closs_term_kind kind, unsigned features);

// Not 0 where a class is one that the term is of.
int region_takes_part(const closs_region *term, int64_t class);

overlap_score overlap(closs_term_kind kind, const closs_region *term, const overlap_sums *sums);

#endif
