// The terms that select: an exact k-th largest key, found digit by digit in histograms that merge by addition
// (arithmetic 8).
//
// A balanced term takes all positives and ranks the negatives by their logits. A term that ranks losses (8.6) takes
// those above a constant, where it has one, and ranks the others; balanced L1 (8.7) takes those that the map makes
// positive, and ranks the others: here they stand for positives and negatives.
#ifndef CLOSS_TERMS_SELECTION_H
#define CLOSS_TERMS_SELECTION_H

#include "terms/plan.h"

// Words of a group, one sample or the batch, while its threshold is sought. What one stage adds to lies together.
enum {
    GROUP_POSITIVES = 0,
    GROUP_NEGATIVES = 1,
    GROUP_POSITIVE_LOSS = 2,                                   // two words
    GROUP_FIRST_DIGIT = 4,                                     // stage 0 ends with the first histogram
    GROUP_SECOND_DIGIT = GROUP_FIRST_DIGIT + SELECTION_BINS,   // stage 1
    GROUP_NEGATIVE_LOSS = GROUP_SECOND_DIGIT + SELECTION_BINS, // stage 2: two words, above the prefix
    GROUP_THIRD_DIGIT = GROUP_NEGATIVE_LOSS + 2,
    GROUP_TIES = GROUP_THIRD_DIGIT + SELECTION_BINS / 2, // STAGE_OF_TIES: one word for each sample of the batch
    GROUP_WORDS = GROUP_TIES,
    TAKEN_LOSS_WORDS = 2 // STAGE_OF_TAKEN, after the ties: of the ranked that are taken, weighted
};

// Words of a sample that is a group of its own, once its threshold is known.
// Of the ties 0 stands for all of them.
enum {
    RESOLVED_POSITIVES,
    RESOLVED_NEGATIVES,
    RESOLVED_LOSS,            // two words
    RESOLVED_RANKED_LOSS = 4, // two words: of balanced L1 alone, whose two means are apart; of others it is in the loss
    RESOLVED_THRESHOLD = 6,
    RESOLVED_TIES,
    RESOLVED_WORDS
};

// Words of a sample among the coefficients.
enum { TAKEN_COEFFICIENT, TAKEN_RANKED_COEFFICIENT, TAKEN_THRESHOLD, TAKEN_TIES, TAKEN_WORDS };

// Which negatives a group takes: the keys above the threshold and `ties` of those at it.
typedef struct taken_negatives {
    uint32_t threshold;
    int64_t ties;  // INT64_MAX: all there are
    __int128 loss; // of all that are taken for their rank, in quanta
} taken_negatives;

// What a term that selects is called in messages; NULL of any other.
const char *selection_name(closs_term_kind kind);

size_t selection_totals_words(const closs_plan *plan);
size_t selection_coefficients_words(const closs_plan *plan);
void selection_stage_words(const closs_plan *plan, int stage, size_t *first, size_t *count);

// How many stages a batch has: with class weights that stay out of the ranking losses of equal rank differ, and are
// added up last.
int selection_stages(const closs_plan *plan);

// Where a group has the loss that STAGE_OF_TAKEN adds up.
size_t selection_taken_loss(const closs_plan *plan);

// How many negatives a group takes, once it is counted.
int64_t selection_wanted(const closs_plan *plan, const int64_t *group);

// Keys between which the rank-th largest lies in all likelihood, from the first digits of a sample in which that rank
// is `sample_rank`; no bins where the sample says too little.
selection_window selection_likely_window(double sample_rank, const uint32_t *histogram);

// Writes a group's words as the stages would have, as far as selection_taken reads them: the threshold, how many keys
// are equal to it, how many lie above it, and their loss.
void selection_set_threshold(int64_t *group, uint32_t key, int64_t equal, int64_t above);

// The digit that `stage` counts in a group, and the first word of its histogram.
selection_digit selection_stage_digit(const closs_plan *plan, int stage, const int64_t *group, size_t *histogram);

// Not 0 where `stage` has something to find: k > 0, and for that of the ties, some that are not taken.
int selection_needs_stage(const closs_plan *plan, int stage, const int64_t *group);

// The negatives that a group takes, once its digits are counted; their loss, where class weights stay out of the
// ranking, once STAGE_OF_TAKEN has added it up.
taken_negatives selection_taken(const closs_plan *plan, const int64_t *group);

// The ties that a sample of a batch takes, asked for sample by sample; `left` is `taken->ties` at first.
int64_t selection_ties_of_sample(const int64_t *group, int64_t sample, int64_t *left);

// Writes a sample's resolved words.
void selection_resolve(const closs_plan *plan, int64_t sample, const int64_t *group, int64_t *totals);

// Puts the losses that the gradient's pass found, two words for each sample, in the place of those in the totals of a
// whole batch.
void selection_set_losses(const closs_plan *plan, const int64_t *losses, int64_t *totals);

// What the term is of one sample alone; 0 where the samples are ranked together.
double selection_sample_value(const closs_plan *plan, const int64_t *totals, int64_t sample);

// The term's value and its coefficients (NULL: not wanted).
double selection_finish(const closs_plan *plan, const int64_t *totals, int64_t *coefficients);

#endif
