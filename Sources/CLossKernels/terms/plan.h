// The plan's inside: what was asked for, what the kernels are told of it, and where in the totals and coefficients each
// family keeps its words.
#ifndef CLOSS_TERMS_PLAN_H
#define CLOSS_TERMS_PLAN_H

#include "include/closs.h"
#include "kernels/distance_job.h"
#include "kernels/formula.h"
#include "kernels/hausdorff_job.h"
#include "terms/classes.h"

enum {
    SELECTION_DIGITS = 3,             // each found in a stage of its own
    STAGE_OF_TIES = SELECTION_DIGITS, // counts them
    STAGE_OF_TAKEN,                   // adds up what is taken, where class weights stay out of the ranking
    SELECTION_STAGES,                 // at most
    SELECTION_BINS = 2048,            // of the widest digit
    WINDOW_BINS = 4096                // of a window's histogram
};

// First words of the families in the totals (or the coefficients).
typedef struct word_layout {
    size_t region;    // [samples][classes]
    size_t pointwise; // [pointwise terms][groups][rows]: a group is one sample, or all
    size_t valid;     // [groups]
    size_t parts;     // [pointwise terms][classes] of a softmax, where they are asked for
    size_t lovasz;
    size_t selection;
    size_t count; // words in all
} word_layout;

// A term that measures distances (arithmetic 13).
typedef struct distance_term {
    closs_term_kind kind;
    const closs_distance_term *of;
    uint64_t classes[CLOSS_MAX_CLASSES / 64]; // that take part
    distance_job job;                         // without its squares
    const distance_kernels *kernels;
    double map_scale; // 2^s
    hausdorff_power power;
} distance_term;

enum { MOST_DISTANCE_TERMS = 2 };

static inline int distance_takes_part(const distance_term *term, int64_t c) { return has_class(term->classes, c); }

struct closs_plan {
    closs_shape shape;
    formula formula;
    const kernels *kernels;
    int threads;
    closs_checks checks;
    int by_sample; // pointwise totals are kept for each sample
    size_t term_count;
    closs_term terms[CLOSS_MAX_TERMS];    // their arrays are copies, in `storage`
    int pointwise_index[CLOSS_MAX_TERMS]; // of a term in the formula, or -1
    const closs_term *selection;          // the term that selects, if there is one
    int selection_term;                   // its index
    closs_scope selection_scope;
    const selection_walks *select;
    int selection_threads;
    distance_term distances[MOST_DISTANCE_TERMS];
    int distance_count;
    const closs_term *lovasz; // the Lovasz term, if there is one
    int lovasz_term;          // its index
    word_layout totals, coefficients;
    float storage[];
};

// Softmax totals its voxels once; every other activation channel by channel.
static inline int64_t plan_rows_per_sample(const closs_plan *plan) {
    return plan->formula.activation == CLOSS_SOFTMAX ? 1 : plan->shape.classes;
}

static inline int64_t plan_values(const closs_plan *plan) {
    return plan->shape.samples * plan->shape.voxels * plan_rows_per_sample(plan);
}

// How many groups of samples pointwise totals are kept for.
static inline int64_t plan_groups(const closs_plan *plan) { return plan->by_sample ? plan->shape.samples : 1; }

// Coefficients are Doubles; their words are what callers hold.
static inline void store_double(int64_t *word, double value) { __builtin_memcpy(word, &value, sizeof value); }

static inline double load_double(const int64_t *word) {
    double value;
    __builtin_memcpy(&value, word, sizeof value);
    return value;
}

#endif
