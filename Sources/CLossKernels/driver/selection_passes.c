#include "driver/selection_passes.h"

#include <string.h>

#include "sums/wide.h"
#include "terms/selection.h"

enum {
    SAMPLE_SHARE = 32,   // of the blocks, one in so many is looked at beforehand,
    SAMPLE_BLOCKS = 1024 // but no more than this, and nothing where that would be few
};

typedef struct selection_context {
    const part *part;
    int stage;
    selection_digit digit;
    uint32_t threshold;
    const int64_t *tie_ends; // of each sample of the part
    int64_t *group;
    uint32_t *histograms; // [threads][WINDOW_BINS]
} selection_context;

static fault selection_run(void *context, int thread, int64_t row, int64_t first, int64_t voxels) {
    selection_context *c = context;
    const formula *f = &c->part->plan->formula;
    const selection_walks *k = c->part->plan->select;
    uint32_t *histogram = c->histograms + (size_t)thread * WINDOW_BINS;
    run at = part_run(c->part, row, first, voxels, 0, STORE_PLAIN);
    selection_sums sums = {0};
    fault found = FAULT_NONE;
    switch (c->stage) {
    case 0:
        found = k->start(f, &at, &c->digit, histogram, &sums);
        if (found != FAULT_NONE) break;
        word_add_shared(&c->group[GROUP_POSITIVES], sums.positives);
        word_add_shared(&c->group[GROUP_NEGATIVES], sums.negatives);
        wide_add_shared(&c->group[GROUP_POSITIVE_LOSS], sums.positive_loss);
        break;
    case 1: k->count(f, &at, &c->digit, histogram); break;
    case 2:
        found = k->above(f, &at, &c->digit, histogram, &sums);
        if (found == FAULT_NONE) wide_add_shared(&c->group[GROUP_NEGATIVE_LOSS], sums.negative_loss);
        break;
    case STAGE_OF_TIES:
        word_add_shared(&c->group[GROUP_TIES + c->part->first_sample + row_sample(c->part, row)],
                        k->ties(f, &at, c->threshold));
        break;
    case STAGE_OF_TAKEN:
        found = k->taken(f, &at, c->threshold, tie_end_from(c->part, c->tie_ends, row, first), &sums);
        if (found == FAULT_NONE) wide_add_shared(&c->group[selection_taken_loss(c->part->plan)], sums.negative_loss);
    }
    return found;
}

// Rows of a group, or of a part of one.
typedef struct group_rows {
    int64_t first, count;
} group_rows;

// The sweep of a group's rows, with clean histograms.
static sweep group_sweep(const part *p, group_rows rows, int sees, sweep_body *body, void *context,
                         uint32_t *histograms) {
    int threads = threads_for(p->plan->selection_threads, rows.count * p->voxels);
    memset(histograms, 0, (size_t)threads * WINDOW_BINS * sizeof *histograms);
    return (sweep){.first_row = rows.first,
                   .rows = rows.count,
                   .voxels = p->voxels,
                   .threads = threads,
                   .sees = sees,
                   .body = body,
                   .context = context};
}

// Losses are ranked of values that bring their weights.
static int sees_all(const closs_plan *plan) {
    return SEES_TARGETS | SEES_INPUT | SEES_BALANCED_LOSSES | (plan->formula.ranks ? SEES_WEIGHTS : 0);
}

// ----------------------------------------------------------------------------------------------------- stages ----

// The number after the last tie that a sample takes, where it takes some of its ties only.
static int64_t tie_end(const part *p, int64_t sample, uint32_t threshold, int64_t ties) {
    int64_t rows = plan_rows_per_sample(p->plan);
    if (ties == INT64_MAX) return INT64_MAX;
    for (int64_t row = 0; row < rows && ties > 0; row++)
        for (int64_t first = 0; first < p->voxels;) {
            int64_t voxels = p->voxels - first < RUN_VOXELS ? p->voxels - first : RUN_VOXELS;
            int64_t here;
            // The run that holds the last tie is cut in half until it is that value alone.
            for (;; voxels = (voxels + 1) / 2) {
                run at = part_run(p, sample * rows + row, first, voxels, 0, STORE_PLAIN);
                here = p->plan->select->ties(&p->plan->formula, &at, threshold);
                if (here < ties) break;
                if (voxels == 1) return row * p->voxels + first + 1;
            }
            ties -= here;
            first += voxels;
        }
    return 0;
}

// The tie ends of the samples that the rows are of.
static void find_ends(const part *p, group_rows rows, const int64_t *group, int64_t *tie_ends) {
    const taken_negatives taken = selection_taken(p->plan, group);
    if (p->plan->selection_scope == CLOSS_PER_SAMPLE) {
        int64_t sample = row_sample(p, rows.first);
        tie_ends[sample] = tie_end(p, sample, taken.threshold, taken.ties);
        return;
    }
    int64_t left = taken.ties;
    for (int64_t s = -p->first_sample; s < p->samples; s++) { // those before the part take theirs first
        int64_t ties = selection_ties_of_sample(group, p->first_sample + s, &left);
        if (s >= 0) tie_ends[s] = tie_end(p, s, taken.threshold, ties);
    }
}

static sweep_fault count_stage(const part *p, int stage, group_rows rows, int64_t *group,
                               const selection_memory *memory) {
    if (!selection_needs_stage(p->plan, stage, group)) return (sweep_fault){0};
    selection_context context = {
        .part = p, .stage = stage, .tie_ends = memory->tie_ends, .group = group, .histograms = memory->histograms};
    size_t words = 0;
    if (stage < SELECTION_DIGITS)
        context.digit = selection_stage_digit(p->plan, stage, group, &words);
    else
        context.threshold = selection_taken(p->plan, group).threshold;
    if (stage == STAGE_OF_TAKEN) find_ends(p, rows, group, memory->tie_ends);
    sweep s = group_sweep(p, rows, sees_all(p->plan), selection_run, &context, memory->histograms);
    sweep_fault found = run_sweep(&s);
    if (stage < SELECTION_DIGITS)
        for (int t = 0; t < s.threads; t++)
            for (uint32_t bin = 0; bin <= context.digit.digit_mask; bin++)
                group[words + bin] += memory->histograms[(size_t)t * WINDOW_BINS + bin];
    return found;
}

// ----------------------------------------------------------------------------------------------------- window ----

// Where all rows of a group are at hand, its targets tell how many keys are wanted (or, where some values are taken
// whatever their rank, a first sweep over everything does, which often is all that is needed), and a sample of its
// blocks tells about where the threshold is. Then the first sweep over the logits has to count the keys near it only,
// and may add up the losses of those above in passing; the next counts in finer bins, down to single keys. What the
// sample says is checked; where it misled, the stages find the threshold after all.

typedef struct window_context {
    const part *part;
    selection_window window;
    int sweep;  // 0 reads targets only
    int losses; // are added up here; otherwise with the gradient, or in the last stage
    uint32_t *histograms;
    int64_t positives, negatives, above;
    int64_t sure_loss[2], loss[2];
} window_context;

static fault window_run(void *context, int thread, int64_t row, int64_t first, int64_t voxels) {
    window_context *c = context;
    selection_sums sums = {0};
    run at = part_run(c->part, row, first, voxels, 0, STORE_PLAIN);
    const closs_plan *plan = c->part->plan;
    fault found = c->sweep == 0 ? plan->select->targets(&plan->formula, &at, &sums)
                                : plan->select->in_window(&plan->formula, &at, &c->window,
                                                          (selection_sweep){c->sweep == 1, c->losses},
                                                          c->histograms + (size_t)thread * WINDOW_BINS, &sums);
    if (found != FAULT_NONE) return found;
    if (c->sweep == 0) {
        word_add_shared(&c->positives, sums.positives);
        word_add_shared(&c->negatives, sums.negatives);
        wide_add_shared(c->sure_loss, sums.positive_loss); // of values that are surely taken
        return FAULT_NONE;
    }
    word_add_shared(&c->above, sums.above);
    wide_add_shared(c->loss, sums.negative_loss);
    return FAULT_NONE;
}

static selection_window sampled_window(const window_context *c, group_rows rows, int64_t rank) {
    const part *p = c->part;
    int64_t row_blocks = p->voxels / BLOCK_VOXELS, blocks = rows.count * row_blocks;
    int64_t sampled = blocks / SAMPLE_SHARE < SAMPLE_BLOCKS ? blocks / SAMPLE_SHARE : SAMPLE_BLOCKS;
    if (sampled < SAMPLE_BLOCKS / 8) return (selection_window){0};
    int64_t group[GROUP_SECOND_DIGIT] = {0};
    size_t words;
    selection_digit digit = selection_stage_digit(p->plan, 0, group, &words);
    memset(c->histograms, 0, SELECTION_BINS * sizeof *c->histograms);
    for (int64_t i = 0; i < sampled; i++) {
        int64_t block = i * blocks / sampled;
        run at = part_run(p, rows.first + block / row_blocks, block % row_blocks * BLOCK_VOXELS, BLOCK_VOXELS, 0,
                          STORE_PLAIN);
        p->plan->select->count(&p->plan->formula, &at, &digit, c->histograms);
    }
    return selection_likely_window((double)rank * (double)sampled / (double)blocks, c->histograms);
}

static int64_t bin_count(const window_context *c, int threads, uint32_t bin) {
    int64_t count = 0;
    for (int t = 0; t < threads; t++) count += c->histograms[(size_t)t * WINDOW_BINS + bin];
    return count;
}

// The bin of the window that holds the rank-th largest key; the keys in the bins above it are added to `above`.
// WINDOW_BINS where the window does not hold it.
static uint32_t window_bin(const window_context *c, int threads, int64_t rank, int64_t *above, int64_t *equal) {
    if (*above >= rank) return WINDOW_BINS;
    for (uint32_t bin = c->window.bins; bin-- > 0; *above += *equal) {
        *equal = bin_count(c, threads, bin);
        if (*above + *equal >= rank) return bin;
    }
    return WINDOW_BINS;
}

// The loss of the single keys above the threshold that the last sweep counted.
static __int128 counted_loss(const window_context *c, int threads, uint32_t threshold_bin) {
    const closs_plan *plan = c->part->plan;
    __int128 loss = 0;
    for (uint32_t bin = threshold_bin + 1; bin < c->window.bins; bin++) {
        int64_t count = bin_count(c, threads, bin);
        if (count) loss += (__int128)count * plan->select->loss(&plan->formula, c->window.base + bin);
    }
    return loss;
}

// The window that is one bin of another.
static selection_window finer_window(selection_window w, uint32_t bin) {
    uint32_t top = w.base + (w.bins << w.shift) - 1, base = w.base + (bin << w.shift);
    int shift = w.shift > 12 ? w.shift - 12 : 0;
    return (selection_window){base, top, shift, 1u << (w.shift - shift)};
}

static sweep_fault sweep_window(window_context *c, group_rows rows, int *threads) {
    const closs_plan *plan = c->part->plan;
    int reads_all = c->sweep || (plan->formula.ranks && takes_surely(&plan->formula));
    sweep s = group_sweep(c->part, rows, reads_all ? sees_all(plan) : SEES_TARGETS, window_run, c, c->histograms);
    *threads = s.threads;
    return run_sweep(&s);
}

// Finds a whole group's threshold; 0 where the sample was no help, and nothing is written then.
static int find_by_window(const part *p, group_rows rows, const int64_t *counted, int losses, int64_t *group,
                          uint32_t *histograms, sweep_fault *found) {
    window_context c = {.part = p, .losses = losses, .histograms = histograms};
    int threads;
    if (rows.count * p->voxels < SAMPLE_SHARE * SAMPLE_BLOCKS * BLOCK_VOXELS / 8) return 0;
    if (counted) {
        c.positives = counted[0];
        c.negatives = counted[1];
    } else {
        *found = sweep_window(&c, rows, &threads);
    }
    if (found->found) return 1;
    int64_t counts[] = {c.positives, c.negatives}, above = 0, equal = 0;
    int64_t k = selection_wanted(p->plan, counts);
    if (k == 0 && p->plan->formula.ranks) {
        group[GROUP_POSITIVES] = counts[0];
        group[GROUP_NEGATIVES] = counts[1];
        wide_add_shared(&group[GROUP_POSITIVE_LOSS], wide_value(c.sure_loss));
        return 1;
    }
    c.window = sampled_window(&c, rows, k);
    uint32_t bin = 0;
    while (c.window.bins) {
        c.sweep++;
        *found = sweep_window(&c, rows, &threads);
        if (found->found) return 1;
        if (c.sweep == 1) above = c.above;
        bin = window_bin(&c, threads, k, &above, &equal);
        if (bin == WINDOW_BINS) return 0;
        if (c.window.shift == 0) break;
        c.window = finer_window(c.window, bin);
    }
    if (!c.window.bins) return 0;
    group[GROUP_POSITIVES] = counts[0];
    group[GROUP_NEGATIVES] = counts[1];
    wide_add_shared(&group[GROUP_POSITIVE_LOSS], wide_value(c.sure_loss));
    wide_add_shared(&group[GROUP_NEGATIVE_LOSS], wide_value(c.loss) + counted_loss(&c, threads, bin));
    selection_set_threshold(group, c.window.base + bin, equal, above);
    return 1;
}

// ----------------------------------------------------------------------------------------------------- passes ----

sweep_fault selection_pass(const part *p, int stage, int64_t *totals, const selection_memory *memory) {
    return count_stage(p, stage, (group_rows){0, part_rows(p)}, totals + p->plan->totals.selection, memory);
}

static sweep_fault find_threshold(const part *p, group_rows rows, const int64_t *counted, int losses, int64_t *group,
                                  const selection_memory *memory) {
    sweep_fault found = {0};
    losses &= !p->plan->formula.weighs_taken; // the last stage adds those up
    if (find_by_window(p, rows, counted, losses, group, memory->histograms, &found)) return found;
    for (int stage = 0; stage < SELECTION_DIGITS && !found.found; stage++)
        found = count_stage(p, stage, rows, group, memory);
    return found;
}

sweep_fault selection_batch_pass(const part *p, int losses, int64_t *totals, const selection_memory *memory) {
    return selection_counted_pass(p, 0, losses, totals, memory);
}

sweep_fault selection_counted_pass(const part *p, const int64_t *counts, int losses, int64_t *totals,
                                   const selection_memory *memory) {
    int64_t *group = totals + p->plan->totals.selection;
    group_rows rows = {0, part_rows(p)};
    sweep_fault found = find_threshold(p, rows, counts, losses, group, memory);
    for (int stage = STAGE_OF_TIES; stage < selection_stages(p->plan) && !found.found; stage++)
        found = count_stage(p, stage, rows, group, memory);
    return found;
}

sweep_fault selection_samples_pass(const part *p, int losses, int64_t *totals, const selection_memory *memory) {
    int64_t rows_per_sample = plan_rows_per_sample(p->plan), *group = memory->group;
    for (int64_t s = 0; s < p->samples; s++) {
        const group_rows rows = {s * rows_per_sample, rows_per_sample};
        memset(group, 0, (GROUP_WORDS + TAKEN_LOSS_WORDS) * sizeof *group);
        sweep_fault found = find_threshold(p, rows, 0, losses, group, memory);
        if (!found.found && p->plan->formula.weighs_taken) found = count_stage(p, STAGE_OF_TAKEN, rows, group, memory);
        if (found.found) return found;
        selection_resolve(p->plan, p->first_sample + s, group, totals);
    }
    return (sweep_fault){0};
}

void find_tie_ends(const part *p, const int64_t *coefficients, int64_t *tie_ends) {
    if (!p->plan->selection) return;
    for (int64_t s = 0; s < p->samples; s++) {
        const int64_t *words = coefficients + p->plan->coefficients.selection + (p->first_sample + s) * TAKEN_WORDS;
        tie_ends[s] = tie_end(p, s, (uint32_t)words[TAKEN_THRESHOLD], words[TAKEN_TIES]);
    }
}
