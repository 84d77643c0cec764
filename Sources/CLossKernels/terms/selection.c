#include "terms/selection.h"

#include "kernels/key.h"
#include "sums/wide.h"

static const int DIGIT_SHIFT[SELECTION_DIGITS] = {21, 10, 0};
static const uint32_t DIGIT_MASK[SELECTION_DIGITS] = {0x7ff, 0x7ff, 0x3ff};
static const size_t DIGIT_WORDS[SELECTION_DIGITS] = {GROUP_FIRST_DIGIT, GROUP_SECOND_DIGIT, GROUP_THIRD_DIGIT};

// The bin of a histogram that holds the rank-th largest key, and how many keys lie in the bins above it.
typedef struct ranked_bin {
    uint32_t digit;
    int64_t above;
} ranked_bin;

// Balanced L1's value is a mean of the positives and one of the negatives.
static int has_two_means(const closs_plan *plan) { return plan->selection->kind == CLOSS_BALANCED_L1; }

static int per_batch(const closs_plan *plan) { return plan->selection_scope == CLOSS_PER_BATCH; }

const char *selection_name(closs_term_kind kind) {
    switch (kind) {
    case CLOSS_BALANCED_BINARY_CROSS_ENTROPY: return "balanced binary cross entropy";
    case CLOSS_TOP_K: return "top-k loss";
    case CLOSS_OHEM: return "loss of mined hard examples";
    case CLOSS_BALANCED_L1: return "balanced L1 loss";
    default: return 0;
    }
}

size_t selection_totals_words(const closs_plan *plan) {
    if (!plan->selection) return 0;
    size_t samples = (size_t)plan->shape.samples;
    size_t taken_loss = plan->formula.weighs_taken ? TAKEN_LOSS_WORDS : 0;
    return per_batch(plan) ? GROUP_WORDS + samples + taken_loss : samples * RESOLVED_WORDS;
}

size_t selection_coefficients_words(const closs_plan *plan) {
    return plan->selection ? (size_t)plan->shape.samples * TAKEN_WORDS : 0;
}

// The word after a stage's last.
static size_t stage_end(const closs_plan *plan, int stage) {
    static const size_t ends[SELECTION_DIGITS] = {GROUP_SECOND_DIGIT, GROUP_NEGATIVE_LOSS, GROUP_TIES};
    if (stage < SELECTION_DIGITS) return plan->totals.selection + ends[stage];
    size_t ties_end = plan->totals.selection + GROUP_TIES + (size_t)plan->shape.samples;
    return stage == STAGE_OF_TIES ? ties_end : ties_end + TAKEN_LOSS_WORDS;
}

void selection_stage_words(const closs_plan *plan, int stage, size_t *first, size_t *count) {
    *first = stage == 0 ? 0 : stage_end(plan, stage - 1);
    *count = stage_end(plan, stage) - *first;
}

size_t selection_taken_loss(const closs_plan *plan) {
    return GROUP_WORDS + (per_batch(plan) ? (size_t)plan->shape.samples : 0);
}

int selection_stages(const closs_plan *plan) { return plan->formula.weighs_taken ? SELECTION_STAGES : STAGE_OF_TAKEN; }

// Values of a group, masked and ignored ones too.
static int64_t group_values(const closs_plan *plan) {
    return per_batch(plan) ? plan_values(plan) : plan_values(plan) / plan->shape.samples;
}

// k of a top-k term (arithmetic 8.6.3).
static int64_t share_of(const closs_plan *plan, int64_t valid) {
    const closs_top_k *term = &plan->selection->of.top_k;
    int64_t values = term->ignored == CLOSS_IGNORED_EXCLUDED ? valid : group_values(plan);
    int64_t k = (int64_t)((double)values * term->percent / 100); // the conversion is the floor
    return k > 1 ? k : 1;
}

// How many negatives a balanced term wants, `least` at least (arithmetic 8.2).
static int64_t negatives_by_ratio(double ratio, int64_t least, int64_t positives, int64_t negatives) {
    double by_ratio = ratio * (double)positives;
    int64_t k = by_ratio < (double)negatives ? (int64_t)by_ratio : negatives; // the conversion is the floor
    return k < least ? least : k;
}

static int64_t balanced_negatives(const closs_plan *plan, int64_t positives, int64_t negatives) {
    const closs_balanced_binary_cross_entropy *term = &plan->selection->of.balanced_binary_cross_entropy;
    int64_t least = term->minimum_negatives;
    if (positives == 0 && least < term->fallback_negatives) least = term->fallback_negatives;
    return negatives_by_ratio(term->negative_ratio, least, positives, negatives);
}

// How many of the ranked are wanted.
static int64_t wanted(const closs_plan *plan, int64_t positives, int64_t negatives) {
    const closs_balanced_l1 *l1 = &plan->selection->of.balanced_l1;
    int64_t k;
    switch (plan->selection->kind) {
    case CLOSS_TOP_K: k = share_of(plan, negatives); break;
    case CLOSS_OHEM: k = plan->selection->of.ohem.minimum_kept - positives; break;
    case CLOSS_BALANCED_L1:
        k = negatives_by_ratio(l1->negative_ratio, l1->minimum_negatives, positives, negatives);
        break;
    default: k = balanced_negatives(plan, positives, negatives); break;
    }
    return k < 0 ? 0 : k < negatives ? k : negatives;
}

// What the losses of a group that takes something are divided by.
static double divisor_of(const closs_plan *plan, int64_t positives, int64_t negatives) {
    int64_t taken = positives + wanted(plan, positives, negatives);
    const double scale = plan->formula.taken.weight_scale;
    const closs_ohem *ohem = &plan->selection->of.ohem;
    switch (plan->selection->kind) {
    case CLOSS_TOP_K: return (double)share_of(plan, negatives) / scale;
    case CLOSS_OHEM: break;
    default: return (double)taken + plan->selection->of.balanced_binary_cross_entropy.epsilon;
    }
    switch (ohem->divisor) {
    case CLOSS_DIVIDE_BY_VALID: return (double)(positives + negatives) / scale;
    case CLOSS_DIVIDE_BY_ALL: return (double)group_values(plan) / scale;
    case CLOSS_DIVIDE_BY_CONSTANT: return ohem->divisor_value / scale;
    default: return (double)taken / scale;
    }
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

// The loss of the k ranked: what the stages have added up, and of keys that they counted singly what each stands for.
static __int128 loss_by_rank(const closs_plan *plan, const int64_t *group, const threshold *t, int64_t k) {
    uint32_t last = DIGIT_MASK[SELECTION_DIGITS - 1];
    __int128 loss = wide_value(group + GROUP_NEGATIVE_LOSS);
    for (uint32_t digit = last; digit > (t->key & last); digit--) {
        int64_t count = group[GROUP_THIRD_DIGIT + digit];
        if (count) loss += (__int128)count * plan->select->loss(&plan->formula, (t->key & ~last) | digit);
    }
    return loss + (__int128)(k - t->above) * plan->select->loss(&plan->formula, t->key);
}

int selection_needs_stage(const closs_plan *plan, int stage, const int64_t *group) {
    if (stage == 0) return 1;
    int64_t k = selection_wanted(plan, group);
    if (k == 0) return 0;
    if (stage != STAGE_OF_TIES) return 1;
    threshold t = threshold_of(group, k);
    return k - t.above < t.equal;
}

taken_negatives selection_taken(const closs_plan *plan, const int64_t *group) {
    int64_t k = selection_wanted(plan, group);
    // The key after that of the constant: what is surely taken needs no rank.
    if (k == 0 && plan->formula.ranks == RANKS_LOSSES)
        return (taken_negatives){key_of_float(plan->formula.surely) + 1, INT64_MAX, 0};
    if (k == 0) return (taken_negatives){UINT32_MAX, 0, 0};
    threshold t = threshold_of(group, k);
    __int128 loss =
        plan->formula.weighs_taken ? wide_value(group + selection_taken_loss(plan)) : loss_by_rank(plan, group, &t, k);
    return (taken_negatives){t.key, k - t.above < t.equal ? k - t.above : INT64_MAX, loss};
}

int64_t selection_ties_of_sample(const int64_t *group, int64_t sample, int64_t *left) {
    if (*left == INT64_MAX) return INT64_MAX;
    int64_t ties = group[GROUP_TIES + sample], share = ties < *left ? ties : *left;
    *left -= share;
    return share;
}

void selection_resolve(const closs_plan *plan, int64_t sample, const int64_t *group, int64_t *totals) {
    int64_t *words = totals + plan->totals.selection + sample * RESOLVED_WORDS;
    taken_negatives taken = selection_taken(plan, group);
    words[RESOLVED_POSITIVES] += group[GROUP_POSITIVES];
    words[RESOLVED_NEGATIVES] += group[GROUP_NEGATIVES];
    __int128 sure = wide_value(group + GROUP_POSITIVE_LOSS);
    wide_add_shared(&words[RESOLVED_LOSS], has_two_means(plan) ? sure : sure + taken.loss);
    wide_add_shared(&words[RESOLVED_RANKED_LOSS], has_two_means(plan) ? taken.loss : 0);
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

// A group: how many values it has that are surely taken and that are ranked, and the losses of those taken.
typedef struct group_sums {
    int64_t positives, negatives;
    __int128 sure_loss, ranked_loss;
} group_sums;

// The coefficients of a group, of what is surely taken and of what is for its rank.
typedef struct group_coefficients {
    double sure, ranked;
} group_coefficients;

static double mean_of(__int128 loss, int64_t count) {
    return count > 0 ? wide_double(loss, LOSS_QUANTUM) / (double)count : 0;
}

// Arithmetic 8.7.
static double value_of_two_means(const closs_plan *plan, const group_sums *group, double weight,
                                 group_coefficients *coefficients) {
    int64_t taken = wanted(plan, group->positives, group->negatives);
    coefficients->sure = group->positives > 0 ? weight / (double)group->positives : 0;
    coefficients->ranked = taken > 0 ? weight / (double)taken : 0;
    return mean_of(group->sure_loss, group->positives) + mean_of(group->ranked_loss, taken);
}

// Arithmetic 8.4 for one of so many groups.
static double group_value(const closs_plan *plan, const group_sums *group, double groups,
                          group_coefficients *coefficients) {
    double weight = plan->selection->weight / groups;
    if (has_two_means(plan)) return value_of_two_means(plan, group, weight, coefficients);
    double divisor = divisor_of(plan, group->positives, group->negatives);
    int any = group->positives + wanted(plan, group->positives, group->negatives) > 0;
    coefficients->sure = coefficients->ranked = any ? weight / divisor : 0;
    return any ? wide_double(group->sure_loss + group->ranked_loss, LOSS_QUANTUM) / divisor : 0;
}

static void store_taken(const closs_plan *plan, int64_t sample, const group_coefficients *own, int64_t threshold,
                        int64_t ties, int64_t *coefficients) {
    int64_t *words = coefficients + plan->coefficients.selection + sample * TAKEN_WORDS;
    store_double(&words[TAKEN_COEFFICIENT], own->sure);
    store_double(&words[TAKEN_RANKED_COEFFICIENT], own->ranked);
    words[TAKEN_THRESHOLD] = threshold;
    words[TAKEN_TIES] = ties;
}

// The ties that are taken go to the samples in order, as many as each has.
static double finish_batch(const closs_plan *plan, const int64_t *group, int64_t *coefficients) {
    group_coefficients own;
    taken_negatives taken = selection_taken(plan, group);
    group_sums sums = {group[GROUP_POSITIVES], group[GROUP_NEGATIVES], wide_value(group + GROUP_POSITIVE_LOSS),
                       taken.loss};
    double value = group_value(plan, &sums, 1, &own);
    int64_t left = taken.ties;
    for (int64_t s = 0; coefficients && s < plan->shape.samples; s++) {
        int64_t share = selection_ties_of_sample(group, s, &left);
        store_taken(plan, s, &own, taken.threshold, share, coefficients);
    }
    return value;
}

static group_sums resolved_sums(const int64_t *words) {
    return (group_sums){words[RESOLVED_POSITIVES], words[RESOLVED_NEGATIVES], wide_value(&words[RESOLVED_LOSS]),
                        wide_value(&words[RESOLVED_RANKED_LOSS])};
}

static double finish_samples(const closs_plan *plan, const int64_t *words, int64_t *coefficients) {
    double sum = 0, samples = (double)plan->shape.samples;
    for (int64_t s = 0; s < plan->shape.samples; s++, words += RESOLVED_WORDS) {
        group_coefficients own;
        group_sums group = resolved_sums(words);
        sum += group_value(plan, &group, samples, &own);
        if (coefficients)
            store_taken(plan, s, &own, words[RESOLVED_THRESHOLD],
                        words[RESOLVED_TIES] ? words[RESOLVED_TIES] : INT64_MAX, coefficients);
    }
    return sum / samples;
}

double selection_sample_value(const closs_plan *plan, const int64_t *totals, int64_t sample) {
    const int64_t *words = totals + plan->totals.selection + sample * RESOLVED_WORDS;
    group_coefficients unused;
    if (per_batch(plan)) return 0;
    group_sums group = resolved_sums(words);
    return group_value(plan, &group, 1, &unused);
}

double selection_finish(const closs_plan *plan, const int64_t *totals, int64_t *coefficients) {
    const int64_t *words = totals + plan->totals.selection;
    return per_batch(plan) ? finish_batch(plan, words, coefficients) : finish_samples(plan, words, coefficients);
}
