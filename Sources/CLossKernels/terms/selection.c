#include "terms/selection.h"

#include "sums/wide.h"

static const int DIGIT_SHIFT[SELECTION_DIGITS] = {21, 10, 0};
static const uint32_t DIGIT_MASK[SELECTION_DIGITS] = {0x7ff, 0x7ff, 0x3ff};
static const size_t DIGIT_WORDS[SELECTION_DIGITS] = {GROUP_FIRST_DIGIT, GROUP_SECOND_DIGIT, GROUP_THIRD_DIGIT};

// The bin of a histogram that holds the rank-th largest key, and how many keys lie in the bins above it.
typedef struct ranked_bin {
    uint32_t digit;
    int64_t above;
} ranked_bin;

static int per_batch(const closs_plan *plan) { return plan->balanced->scope == CLOSS_PER_BATCH; }

size_t selection_totals_words(const closs_plan *plan) {
    if (!plan->balanced) return 0;
    size_t samples = (size_t)plan->shape.samples;
    return per_batch(plan) ? GROUP_WORDS + samples : samples * RESOLVED_WORDS;
}

size_t selection_coefficients_words(const closs_plan *plan) {
    return plan->balanced ? (size_t)plan->shape.samples * TAKEN_WORDS : 0;
}

void selection_stage_words(const closs_plan *plan, int stage, size_t *first, size_t *count) {
    static const size_t ends[SELECTION_STAGES] = {GROUP_SECOND_DIGIT, GROUP_NEGATIVE_LOSS, GROUP_TIES, 0};
    size_t end = stage == SELECTION_STAGES - 1 ? GROUP_WORDS + (size_t)plan->shape.samples : ends[stage];
    *first = stage == 0 ? 0 : plan->totals.selection + ends[stage - 1];
    *count = plan->totals.selection + end - *first;
}

// How many negatives are wanted (arithmetic 8.2).
static int64_t wanted(const closs_plan *plan, int64_t positives, int64_t negatives) {
    double by_ratio = plan->balanced->negative_ratio * (double)positives;
    int64_t k = by_ratio < (double)negatives ? (int64_t)by_ratio : negatives; // the conversion is the floor
    if (k < plan->balanced->minimum_negatives) k = plan->balanced->minimum_negatives;
    return k < negatives ? k : negatives;
}

int64_t selection_wanted(const closs_plan *plan, const int64_t *group) {
    return wanted(plan, group[GROUP_POSITIVES], group[GROUP_NEGATIVES]);
}

// The first edge of the first digit's bins, from the top, that at least `keys` keys of the sample lie above; 0 where no
// edge is.
static uint32_t edge_above(const uint32_t *histogram, double keys) {
    double above = 0;
    for (uint32_t bin = DIGIT_MASK[0]; bin > 0; bin--) {
        above += histogram[bin];
        if (above >= keys) return bin << DIGIT_SHIFT[0];
    }
    return 0;
}

// What is next to each other is alike in an image: a sample of a thousand blocks tells little more than a thousand
// values would, and the margins leave room for that. Were they not enough, only time would be lost.
selection_window selection_likely_window(double sample_rank, const uint32_t *histogram) {
    double margin = 0.25 * sample_rank + 64;
    uint32_t base = edge_above(histogram, sample_rank + margin);
    // The edge that too few keys lie above is one bin further up than the first that enough lie above.
    uint64_t end = edge_above(histogram, sample_rank > margin ? sample_rank - margin : 1) + (1ull << DIGIT_SHIFT[0]);
    uint64_t width = end - base;
    int shift = 0;
    while (width >> shift > WINDOW_BINS) shift++;
    if (base == 0) return (selection_window){0};
    return (selection_window){base, UINT32_MAX, shift, (uint32_t)(width >> shift)};
}

void selection_set_threshold(int64_t *group, uint32_t key, int64_t equal, int64_t above) {
    uint32_t first = key >> DIGIT_SHIFT[0];
    group[GROUP_FIRST_DIGIT + first] = equal;
    group[GROUP_FIRST_DIGIT + first + 1] = above; // there is one: the last keys are those of NaNs
    group[GROUP_SECOND_DIGIT + (key >> DIGIT_SHIFT[1] & DIGIT_MASK[1])] = equal;
    group[GROUP_THIRD_DIGIT + (key & DIGIT_MASK[2])] = equal;
}

static ranked_bin bin_of_rank(const int64_t *histogram, uint32_t bins, int64_t rank) {
    ranked_bin bin = {bins - 1, 0};
    while (bin.digit > 0 && bin.above + histogram[bin.digit] < rank) bin.above += histogram[bin.digit--];
    return bin;
}

// The first `digits` digits of the k-th largest key. `above` gets the number of keys that are larger in them.
static uint32_t known_prefix(const int64_t *group, int64_t k, int digits, int64_t *above) {
    uint32_t prefix = 0;
    *above = 0;
    for (int i = 0; i < digits; i++) {
        ranked_bin bin = bin_of_rank(group + DIGIT_WORDS[i], DIGIT_MASK[i] + 1, k - *above);
        prefix |= bin.digit << DIGIT_SHIFT[i];
        *above += bin.above;
    }
    return prefix;
}

selection_digit selection_stage_digit(const closs_plan *plan, int stage, const int64_t *group, size_t *histogram) {
    int64_t above, k = selection_wanted(plan, group);
    selection_digit digit = {
        .prefix = known_prefix(group, k, stage, &above),
        .prefix_mask = stage == 0 ? 0 : UINT32_MAX << DIGIT_SHIFT[stage - 1],
        .shift = DIGIT_SHIFT[stage],
        .digit_mask = DIGIT_MASK[stage],
    };
    *histogram = DIGIT_WORDS[stage];
    return digit;
}

// The k-th largest key, how many keys lie above it, and how many are equal to it.
typedef struct threshold {
    uint32_t key;
    int64_t above, equal;
} threshold;

static threshold threshold_of(const int64_t *group, int64_t k) {
    threshold t;
    t.key = known_prefix(group, k, SELECTION_DIGITS, &t.above);
    t.equal = group[GROUP_THIRD_DIGIT + (t.key & DIGIT_MASK[SELECTION_DIGITS - 1])];
    return t;
}

int selection_needs_stage(const closs_plan *plan, int stage, const int64_t *group) {
    if (stage == 0) return 1;
    int64_t k = selection_wanted(plan, group);
    if (k == 0) return 0;
    if (stage < SELECTION_DIGITS) return 1;
    threshold t = threshold_of(group, k);
    return k - t.above < t.equal;
}

taken_negatives selection_taken(const closs_plan *plan, const int64_t *group) {
    int64_t k = selection_wanted(plan, group);
    if (k == 0) return (taken_negatives){UINT32_MAX, 0, 0};
    threshold t = threshold_of(group, k);
    uint32_t last = DIGIT_MASK[SELECTION_DIGITS - 1];
    __int128 loss = wide_value(group + GROUP_NEGATIVE_LOSS);
    for (uint32_t digit = last; digit > (t.key & last); digit--) {
        int64_t count = group[GROUP_THIRD_DIGIT + digit];
        if (count) loss += (__int128)count * plan->kernels->negative_loss(&plan->formula, (t.key & ~last) | digit);
    }
    loss += (__int128)(k - t.above) * plan->kernels->negative_loss(&plan->formula, t.key);
    return (taken_negatives){t.key, k - t.above < t.equal ? k - t.above : INT64_MAX, loss};
}

void selection_resolve(const closs_plan *plan, int64_t sample, const int64_t *group, int64_t *totals) {
    int64_t *words = totals + plan->totals.selection + sample * RESOLVED_WORDS;
    taken_negatives taken = selection_taken(plan, group);
    words[RESOLVED_POSITIVES] += group[GROUP_POSITIVES];
    words[RESOLVED_NEGATIVES] += group[GROUP_NEGATIVES];
    wide_add_shared(&words[RESOLVED_LOSS], wide_value(group + GROUP_POSITIVE_LOSS) + taken.loss);
    words[RESOLVED_THRESHOLD] += taken.threshold;
    words[RESOLVED_TIES] += taken.ties == INT64_MAX ? 0 : taken.ties;
}

// Of a batch, finish adds the loss of the negatives that were counted singly: that share is taken off here.
void selection_set_losses(const closs_plan *plan, const int64_t *losses, int64_t *totals) {
    int64_t *words = totals + plan->totals.selection;
    __int128 batch = 0;
    for (int64_t s = 0; s < plan->shape.samples; s++) {
        __int128 loss = wide_value(&losses[s * WIDE_WORDS]);
        batch += loss;
        if (per_batch(plan)) continue;
        words[s * RESOLVED_WORDS + RESOLVED_LOSS] = words[s * RESOLVED_WORDS + RESOLVED_LOSS + 1] = 0;
        wide_add_shared(&words[s * RESOLVED_WORDS + RESOLVED_LOSS], loss);
    }
    if (!per_batch(plan)) return;
    words[GROUP_POSITIVE_LOSS] = words[GROUP_POSITIVE_LOSS + 1] = 0;
    wide_add_shared(&words[GROUP_POSITIVE_LOSS], batch - selection_taken(plan, words).loss);
}

// Arithmetic 8.4 for one group; `coefficient` gets the group's.
static double group_value(const closs_plan *plan, int64_t positives, int64_t negatives, __int128 loss, double groups,
                          double *coefficient) {
    double count = (double)(positives + wanted(plan, positives, negatives));
    double divisor = count + plan->balanced->epsilon;
    int any = count > 0;
    *coefficient = any ? (plan->balanced_weight / groups) / divisor : 0;
    return any ? wide_double(loss, LOSS_QUANTUM) / divisor : 0;
}

static void store_taken(const closs_plan *plan, int64_t sample, double coefficient, int64_t threshold, int64_t ties,
                        int64_t *coefficients) {
    int64_t *words = coefficients + plan->coefficients.selection + sample * TAKEN_WORDS;
    store_double(&words[TAKEN_COEFFICIENT], coefficient);
    words[TAKEN_THRESHOLD] = threshold;
    words[TAKEN_TIES] = ties;
}

// The ties that are taken go to the samples in order, as many as each has.
static double finish_batch(const closs_plan *plan, const int64_t *group, int64_t *coefficients) {
    double coefficient;
    taken_negatives taken = selection_taken(plan, group);
    double value = group_value(plan, group[GROUP_POSITIVES], group[GROUP_NEGATIVES],
                               wide_value(group + GROUP_POSITIVE_LOSS) + taken.loss, 1, &coefficient);
    int64_t left = taken.ties;
    for (int64_t s = 0; coefficients && s < plan->shape.samples; s++) {
        int64_t ties = group[GROUP_TIES + s];
        int64_t share = taken.ties == INT64_MAX ? INT64_MAX : ties < left ? ties : left;
        store_taken(plan, s, coefficient, taken.threshold, share, coefficients);
        if (taken.ties != INT64_MAX) left -= share;
    }
    return value;
}

static double finish_samples(const closs_plan *plan, const int64_t *words, int64_t *coefficients) {
    double sum = 0, samples = (double)plan->shape.samples;
    for (int64_t s = 0; s < plan->shape.samples; s++, words += RESOLVED_WORDS) {
        double coefficient;
        sum += group_value(plan, words[RESOLVED_POSITIVES], words[RESOLVED_NEGATIVES],
                           wide_value(&words[RESOLVED_LOSS]), samples, &coefficient);
        if (coefficients)
            store_taken(plan, s, coefficient, words[RESOLVED_THRESHOLD],
                        words[RESOLVED_TIES] ? words[RESOLVED_TIES] : INT64_MAX, coefficients);
    }
    return sum / samples;
}

double selection_sample_value(const closs_plan *plan, const int64_t *totals, int64_t sample) {
    const int64_t *words = totals + plan->totals.selection + sample * RESOLVED_WORDS;
    double unused;
    if (per_batch(plan)) return 0;
    return group_value(plan, words[RESOLVED_POSITIVES], words[RESOLVED_NEGATIVES], wide_value(&words[RESOLVED_LOSS]), 1,
                       &unused);
}

double selection_finish(const closs_plan *plan, const int64_t *totals, int64_t *coefficients) {
    const int64_t *words = totals + plan->totals.selection;
    return per_batch(plan) ? finish_batch(plan, words, coefficients) : finish_samples(plan, words, coefficients);
}
