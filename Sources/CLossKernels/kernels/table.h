// The table of one instruction set: the runs' walks, after whatever their layout asks for. Included once by each
// isa_*.c, after it has said what its instruction set has. The families' walks are compiled apart: they are large.
#include "kernels/binarization.h"
#include "kernels/distance_job.h"
#include "kernels/hausdorff_job.h"
#include "kernels/metric_job.h"
#include "kernels/lovasz_job.h"
#include "kernels/select.h"
#include "kernels/survey.h"
#include "kernels/weights_job.h"

// Runs with a layout are staged in pieces that are as large as the first caches are, so that the simple walks get them.

enum { PIECE_VALUES = 16384 };

static int run_classes(const formula *f) { return f->activation == CLOSS_SOFTMAX ? f->classes : 1; }

static int64_t piece_voxels(int classes) {
    int64_t voxels = PIECE_VALUES / (classes < 4 ? 4 : classes) / BLOCK_VOXELS * BLOCK_VOXELS;
    return voxels ? voxels : BLOCK_VOXELS;
}

// Sums are integers, every one of them: pieces are added word by word.
_Static_assert(offsetof(run_sums, classes) % sizeof(int64_t) == 0 &&
                   sizeof(run_sums) == offsetof(run_sums, classes) + sizeof(class_sums *),
               "the classes are the last member of run_sums, words are before it");

static void clear_sums(int classes, run_sums *sums) {
    memset(sums, 0, offsetof(run_sums, classes));
    memset(sums->classes, 0, (size_t)classes * sizeof *sums->classes);
}

static void add_words(const void *from, void *to, size_t bytes) {
    const uint64_t *piece = from;
    uint64_t *sum = to;
    for (size_t i = 0; i < bytes / sizeof *sum; i++) sum[i] += piece[i];
}

static void add_piece(int classes, const run_sums *piece, run_sums *out) {
    add_words(piece, out, offsetof(run_sums, classes));
    add_words(piece->classes, out->classes, (size_t)classes * sizeof *piece->classes);
}

// One of the channels that were staged together.
static run channel_of(const run *piece, int channel) {
    run one = *piece;
    int64_t offset = channel * piece->class_stride;
    one.channel = channel;
    one.channels = 0;
    one.logits += offset;
    if (target_is_dense(one.target))
        one.targets = (const char *)one.targets + (size_t)offset * target_bytes(one.target);
    if (one.maps) one.maps += offset;
    one.distance_maps = distances_from(&one, channel * one.distance_stride);
    if (one.gradient) one.gradient += offset;
    if (one.lovasz_slopes) one.lovasz_slopes += channel * one.lovasz_stride;
    return one;
}

static const walks *walks_of(const formula *f) {
    return f->activation == CLOSS_SOFTMAX ? &OF_ISA(softmax_walks) : &OF_ISA(channel_walks);
}

// Whether the classes stand side by side, as the softmax's walks can take them apart.
static int is_beside(const formula *f, const buffer_layout *b) {
    return f->activation == CLOSS_SOFTMAX && f->classes <= CLASSES_TAKEN_APART && b->linear && b->channel == 1;
}

// Whether the walks can read the run's elements, and write its gradient, where they are, whatever their type.
static int is_in_place(const formula *f, const run *whole) {
    const run_layout *l = whole->layout;
    if (whole->channels || whole->mask || whole->weights || whole->maps) return 0;
    if (!is_straight(&l->targets) || !walks_of(f)->in_place(f, whole->target)) return 0;
    if (is_beside(f, &l->logits)) return !whole->gradient || is_beside(f, &l->gradient);
    if (!is_straight(&l->logits)) return 0;
    return !whole->gradient || (is_straight(&l->gradient) && l->gradient.channel == l->logits.channel);
}

static run run_in_place(const formula *f, const run *whole) {
    const run_layout *l = whole->layout;
    run here = *whole;
    here.layout = 0;
    here.first = 0;
    here.class_stride = l->logits.channel;
    if (is_beside(f, &l->logits)) here.beside = l;
    here.logits_type = l->logits.type;
    here.logits = straight_at(whole->logits, l, &l->logits, whole->first);
    here.targets = straight_at(whole->targets, l, &l->targets, whole->first);
    if (!whole->gradient) return here;
    here.gradient_type = l->gradient.type;
    here.gradient = (float *)straight_at(whole->gradient, l, &l->gradient, whole->first);
    if (here.beside) return here;
    uintptr_t lines = (uintptr_t)here.gradient | (uintptr_t)(here.class_stride * (int64_t)l->gradient.bytes);
    if (here.store == STORE_STREAMING && lines % 64) here.store = STORE_PLAIN;
    return here;
}

static fault plain_totals(const formula *f, const run *whole, run_sums *out) {
    return walks_of(f)->totals(f, whole, out);
}

static fault totals_of_channels(const formula *f, const run *whole, run_sums *out) {
    const int channels = whole->channels;
    for (int c = 0; c < channels; c++) clear_sums(1, &out[c]);
    FOR_EACH_PIECE(whole, piece, channels, piece_voxels(channels), {
        for (int c = 0; c < channels; c++) {
            class_sums each;
            run_sums sums = {.classes = &each};
            run one = channel_of(&piece, c);
            clear_sums(1, &sums);
            if (plain_totals(f, &one, &sums) != FAULT_NONE) return FAULT_FOUND;
            add_piece(1, &sums, &out[c]);
        }
    });
    return FAULT_NONE;
}

static fault totals(const formula *f, const run *whole, run_sums *out) {
    if (!whole->layout) return plain_totals(f, whole, out);
    if (is_in_place(f, whole)) {
        run here = run_in_place(f, whole);
        return plain_totals(f, &here, out);
    }
    if (whole->channels) return totals_of_channels(f, whole, out);
    const int classes = run_classes(f);
    clear_sums(classes, out);
    FOR_EACH_PIECE(whole, piece, classes, piece_voxels(classes), {
        class_sums each[classes];
        run_sums sums = {.classes = each};
        clear_sums(classes, &sums);
        if (plain_totals(f, &piece, &sums) != FAULT_NONE) return FAULT_FOUND;
        add_piece(classes, &sums, out);
    });
    return FAULT_NONE;
}

// Streaming stores are ordered with nothing; whoever is told that the gradient is there must see it.
static void settle(const run *whole) {
    if (whole->store == STORE_STREAMING) __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void plain_gradient(const formula *f, const run *whole, const run_coefficients *k, __int128 *balanced_loss) {
    walks_of(f)->gradient(f, whole, k, balanced_loss);
}

static __int128 gradient_of_channels(const formula *f, const run *whole, const run_coefficients *k, int with_losses) {
    const int channels = whole->channels;
    run_coefficients here[channels];
    __int128 sum = 0;
    memcpy(here, k, sizeof here);
    FOR_EACH_PIECE(whole, piece, channels, piece_voxels(channels), {
        for (int c = 0; c < channels; c++) {
            __int128 loss = 0;
            run one = channel_of(&piece, c);
            plain_gradient(f, &one, &here[c], with_losses ? &loss : 0);
            sum += loss;
            here[c].tie_end -= piece.voxels;
        }
    });
    return sum;
}

static void gradient(const formula *f, const run *whole, const run_coefficients *k, __int128 *balanced_loss) {
    if (!whole->layout) {
        plain_gradient(f, whole, k, balanced_loss);
    } else if (is_in_place(f, whole)) {
        run here = run_in_place(f, whole);
        plain_gradient(f, &here, k, balanced_loss);
    } else if (whole->channels) {
        __int128 sum = gradient_of_channels(f, whole, k, balanced_loss != 0);
        if (balanced_loss) *balanced_loss = sum;
    } else {
        const int classes = run_classes(f);
        run_coefficients here = *k; // ties are counted from the piece's first voxel
        __int128 sum = 0;
        FOR_EACH_PIECE(whole, piece, classes, piece_voxels(classes), {
            __int128 loss = 0;
            plain_gradient(f, &piece, &here, balanced_loss ? &loss : 0);
            sum += loss;
            here.tie_end -= piece.voxels;
        });
        if (balanced_loss) *balanced_loss = sum;
    }
    settle(whole);
}

static fault plain_totals_and_gradient(const formula *f, const run *whole, const run_coefficients *k, run_sums *out) {
    return walks_of(f)->totals_and_gradient(f, whole, k, out);
}

static fault totals_and_gradient_of_channels(const formula *f, const run *whole, const run_coefficients *k,
                                             run_sums *out) {
    const int channels = whole->channels;
    fault found = FAULT_NONE;
    for (int c = 0; c < channels; c++) clear_sums(1, &out[c]);
    FOR_EACH_PIECE(whole, piece, channels, piece_voxels(channels), {
        for (int c = 0; c < channels; c++) {
            class_sums each;
            run_sums sums = {.classes = &each};
            run one = channel_of(&piece, c);
            clear_sums(1, &sums);
            if (plain_totals_and_gradient(f, &one, &k[c], &sums) != FAULT_NONE) found = FAULT_FOUND;
            add_piece(1, &sums, &out[c]);
        }
    });
    return found;
}

static fault totals_and_gradient(const formula *f, const run *whole, const run_coefficients *k, run_sums *out) {
    fault found = FAULT_NONE;
    if (!whole->layout) {
        found = plain_totals_and_gradient(f, whole, k, out);
    } else if (is_in_place(f, whole)) {
        run here = run_in_place(f, whole);
        found = plain_totals_and_gradient(f, &here, k, out);
    } else if (whole->channels) {
        found = totals_and_gradient_of_channels(f, whole, k, out);
    } else {
        const int classes = run_classes(f);
        clear_sums(classes, out);
        FOR_EACH_PIECE(whole, piece, classes, piece_voxels(classes), {
            class_sums each[classes];
            run_sums sums = {.classes = each};
            clear_sums(classes, &sums);
            if (plain_totals_and_gradient(f, &piece, k, &sums) != FAULT_NONE) found = FAULT_FOUND;
            add_piece(classes, &sums, out);
        });
    }
    settle(whole);
    return found;
}

static void keep_larger(const run_survey *found, run_survey *all) {
    if (found->largest_logit_bits > all->largest_logit_bits) all->largest_logit_bits = found->largest_logit_bits;
    if (found->largest_map_bits > all->largest_map_bits) all->largest_map_bits = found->largest_map_bits;
    if (found->largest_weight > all->largest_weight) all->largest_weight = found->largest_weight;
}

static fault survey(const formula *f, const run *whole, int with_logits, run_survey *found, run_sums *out) {
    if (!whole->channels) return survey_run(f, whole, with_logits, found, out);
    const int channels = whole->channels;
    *found = (run_survey){0};
    for (int c = 0; c < channels; c++) clear_sums(1, &out[c]);
    FOR_EACH_PIECE(whole, piece, channels, piece_voxels(channels), {
        for (int c = 0; c < channels; c++) {
            class_sums each;
            run_sums sums = {.classes = &each};
            run one = channel_of(&piece, c);
            run_survey here;
            clear_sums(1, &sums);
            if (survey_run(f, &one, with_logits, &here, &sums) != FAULT_NONE) return FAULT_FOUND;
            keep_larger(&here, found);
            add_piece(1, &sums, &out[c]);
        }
    });
    return FAULT_NONE;
}

#define KERNELS                                                                                                        \
    {ISA_HERE,                                                                                                         \
     totals,                                                                                                           \
     gradient,                                                                                                         \
     totals_and_gradient,                                                                                              \
     survey,                                                                                                           \
     &logit_walks,                                                                                                     \
     &OF_ISA(ranked_walks),                                                                                            \
     binarization_totals,                                                                                              \
     binarization_gradient,                                                                                            \
     OF_ISA(loss_map),                                                                                                 \
     &OF_ISA(distance_kernels),                                                                                        \
     &OF_ISA(metric_kernels),                                                                                          \
     &OF_ISA(hausdorff_kernels),                                                                                       \
     &OF_ISA(weight_kernels),                                                                                          \
     &OF_ISA(lovasz_kernels)}
