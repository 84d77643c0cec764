#include "api/scratch.h"

#include "driver/distance_terms.h"
#include "kernels/rooms.h"
#include "terms/selection.h"

static size_t group_words(const closs_plan *plan) {
    return plan->selection && plan->selection_scope == CLOSS_PER_SAMPLE ? GROUP_WORDS + TAKEN_LOSS_WORDS : 0;
}

static size_t sample_words(const closs_plan *plan) { return plan->selection ? (size_t)plan->shape.samples : 0; }

static size_t word_bytes(const closs_plan *plan) {
    return (plan->totals.count + plan->coefficients.count + 3 * sample_words(plan) + group_words(plan)) *
           sizeof(int64_t);
}

static size_t histogram_bytes(int threads) { return (size_t)threads * WINDOW_BINS * sizeof(uint32_t); }

int scratch_selection_threads(const closs_plan *plan) {
    size_t logits = (size_t)(plan->shape.samples * plan->shape.classes * plan->shape.voxels) * sizeof(float);
    size_t limit = logits / 100 + (64u << 10), used = word_bytes(plan) + ROOM_ALIGNMENT;
    size_t threads = limit > used ? (limit - used) / histogram_bytes(1) : 0;
    if (threads > (size_t)plan->threads) threads = (size_t)plan->threads;
    return threads > 1 ? (int)threads : 1;
}

static size_t selection_bytes(const closs_plan *plan) {
    return plan->selection ? histogram_bytes(plan->selection_threads) : 0;
}

// Where the memory of terms that measure distances begins, and that of a Lovasz term: each in a room of its own.
static size_t distances_offset(const closs_plan *plan) { return room_bytes(word_bytes(plan) + selection_bytes(plan)); }

static size_t lovasz_offset(const closs_plan *plan) {
    return room_bytes(distances_offset(plan) + distance_terms_bytes(plan));
}

size_t scratch_bytes(const closs_plan *plan) {
    return ROOM_ALIGNMENT + lovasz_offset(plan) + lovasz_memory_bytes(plan);
}

scratch scratch_in(const closs_plan *plan, void *memory) {
    char *start = first_room(memory);
    scratch s;
    s.totals = (int64_t *)start;
    s.coefficients = s.totals + plan->totals.count;
    s.selection.tie_ends = s.coefficients + plan->coefficients.count;
    s.balanced_losses = s.selection.tie_ends + sample_words(plan);
    s.selection.group = s.balanced_losses + 2 * sample_words(plan);
    s.selection.histograms = (uint32_t *)(s.selection.group + group_words(plan));
    s.distances = start + distances_offset(plan);
    s.lovasz = lovasz_memory_in(plan, start + lovasz_offset(plan));
    return s;
}
