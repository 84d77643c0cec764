// What the kernels are told: plain data, no vectors, no threads.
//
// A formula is the part of a plan that every voxel needs. A run is a stretch of voxels of one sample (and, but for
// softmax, of one channel). A kernel walks a run and gives back its sums, or writes its gradient, or both.
#ifndef CLOSS_KERNELS_FORMULA_H
#define CLOSS_KERNELS_FORMULA_H

#include "include/closs.h"
#include "names.h"

enum {
    BLOCK_VOXELS = 64,              // arithmetic 6.1
    RUN_VOXELS = 256 * BLOCK_VOXELS // the most a kernel walks at once: its 64-bit sums cannot overflow before that
};

// What a value adds to the sum that its term is divided by, times the weights (arithmetic 5.3).
typedef enum weight_of { WEIGHT_OF_VALUES, WEIGHT_OF_TARGETS, WEIGHT_OF_FACTORS } weight_of;

// A pointwise term as its voxels see it.
typedef struct pointwise_formula {
    closs_term_kind kind;
    // Softmax terms (arithmetic 4). A plain cross entropy has neither class weights nor smoothing nor an exponent.
    int plain, has_class_weights;
    const float *target_factor; // a_c, [classes]
    const float *class_weight;  // w_c, [classes], scaled
    double weight_scale;        // 2^e: what the weights were divided by
    float smoothing;            // E
    float class_weight_sum;     // W
    int has_exponent;
    float exponent;
    const float *class_gamma; // [classes], or NULL: `gamma` for all
    int per_channel;          // 4.5: of each logit's sigmoid; 4.7: of each class's probability
    // Binary cross entropy (5.1).
    const float *positive_weight; // [classes]
    float flipped, kept;          // the label smoothing s, and 1 - s
    // Focal (5.2).
    int gamma_is_small_integer; // 0, 1, 2 or 3
    float gamma;
    float alpha, beta;
    float knee; // beta of a smooth L1 (5.5)
    weight_of weight_of;
    int by_probability; // its derivative is by the probability, not by the logit
    // Options of single channels (5.6). A special term has one of those below.
    const float *class_alpha, *class_beta; // [classes], or NULL: alpha and beta for all
    int special;
    int positives_only, weighs_positives, by_logit;
    float log_offset, threshold, shift;
    double largest_modulation; // no modulating factor is above it
    // Terms that measure distances (13).
    int distances;    // which of the run's distance maps, counted from 1; 0: none
    double map_scale; // 2^s: what their values were divided by; 1 for others
    int logarithm;    // the term is log(1 + its mean)
} pointwise_formula;

// What a selection term ranks other than logits: cross entropies (8.6), or absolute errors (8.7) where the map does not
// make the value a positive.
typedef enum ranked_values { RANKS_NOTHING = 0, RANKS_LOSSES, RANKS_ERRORS } ranked_values;

// What a Lovasz term ranks (8.8): errors of probabilities, or of logits.
typedef enum lovasz_errors { LOVASZ_NOTHING = 0, LOVASZ_PROBABILITIES, LOVASZ_HINGE } lovasz_errors;

typedef struct formula {
    closs_activation activation;
    int classes;
    int region;     // some term totals products and sums of probabilities
    int bounded;    // a logit beyond LARGEST_BOUNDED is to be reported like a fault
    int squares;    // ... and sums of squares
    int minimum;    // ... and of the smaller of probability and target
    int valid_sums; // ... and the number of valid values of each class
    int weighted;   // ... and all of these are weighted by voxel
    int counts;     // some term needs the number of labels of each class
    int balanced;
    int logarithms;     // some term needs those of a channel's probabilities
    int errors;         // some pointwise term's derivative is by the probability (5.5, 5.6)
    int target_weights; // some term's divisor adds up targets
    int factors;        // ... or modulating factors: nothing of its gradient is known before the totals are
    int rests;          // some term's totals keep what is rounded off
    int maps;           // some error is of a map too
    int curved;         // some term is no multiple of its sum: its gradient waits for that
    int smooths;        // some cross entropy has label smoothing
    int has_curves;     // some softmax term's slope needs the negative log-likelihood
    int classwise;      // some pointwise term is of a softmax's classes: dense targets must add up to 1
    int per_channel;    // some term of a softmax is of each logit's sigmoid
    int class_parts;    // the losses of a softmax's pointwise terms are added up for each class too
    int pointwise_count;
    pointwise_formula pointwise[CLOSS_MAX_TERMS];
    ranked_values ranks;      // what a selection term ranks that computes losses for that:
    pointwise_formula ranked; // these,
    float surely;             // and takes those above this whatever their rank; an infinity where it takes none so
    pointwise_formula taken;  // the losses of what it takes: those ranked,
    int weighs_taken;         // or those times class weights, which stay out of the ranking
    lovasz_errors lovasz;
    uint64_t lovasz_classes[CLOSS_MAX_CLASSES / 64]; // a bit for each class that takes part
    int has_ignore_index;
    int64_t ignore_index;
} formula;

// What a square that is added up may come to in a run where logits are bounded, and what no logit is beyond there.
static const float BOUNDED_SQUARES = 0x1p+30f, LARGEST_BOUNDED = 0x1p+15f;

// No value of a distance map is larger in magnitude, once it is scaled (13.5).
static const float LARGEST_DISTANCE = 0x1p+10f;

// Terms whose maps are made inside the call.
static inline int measures_distances(closs_term_kind kind) { return kind == CLOSS_BOUNDARY || kind == CLOSS_HAUSDORFF; }
static inline int lovasz_takes(const formula *f, int64_t class) {
    return (int)(f->lovasz_classes[class / 64] >> (class % 64) & 1);
}

// Whether some term beside those of regions has its derivative by the probability.
static inline int slopes_by_probability(const formula *f) { return f->errors || f->lovasz == LOVASZ_PROBABILITIES; }

// Terms whose derivative is by the probability (5.5).
static inline int is_error(closs_term_kind kind) {
    return kind == CLOSS_ABSOLUTE_ERROR || kind == CLOSS_SMOOTH_L1 || kind == CLOSS_SQUARED_ERROR ||
           kind == CLOSS_LINEAR_MAP || measures_distances(kind);
}

// Errors that a map may make negative.
static inline int is_signed(closs_term_kind kind) { return kind == CLOSS_LINEAR_MAP || kind == CLOSS_BOUNDARY; }

// Whether a term's losses may all be small beside the quantum: a confident network's focal losses and factors vanish
// together, and a Hausdorff term is scaled for the longest distance there could be.
static inline int keeps_rest(const pointwise_formula *term) {
    return term->weight_of == WEIGHT_OF_FACTORS || term->kind == CLOSS_HAUSDORFF;
}

// Whether a term that ranks losses takes some of them whatever their rank.
static inline int takes_surely(const formula *f) {
    return f->ranks == RANKS_ERRORS || (f->ranks == RANKS_LOSSES && f->surely < __builtin_inff());
}

// A softmax's term whose weight at a voxel is that of all its channels, whatever the target.
static inline int weighs_values(const pointwise_formula *term) {
    return term->per_channel && term->weight_of == WEIGHT_OF_VALUES;
}

// Bytes of one target, and whether there is one for each channel.
static inline size_t target_bytes(closs_target target) {
    switch (target) {
    case CLOSS_LABELS_U16: return 2;
    case CLOSS_LABELS_I32:
    case CLOSS_DENSE_F32: return 4;
    case CLOSS_LABELS_I64: return 8;
    default: return 1;
    }
}

// How far from 1 the dense targets of a voxel may add up (arithmetic 4.4).
static const float DISTRIBUTION_TOLERANCE = 0x1.0624dep-10f; // 0.001

static inline int target_is_dense(closs_target target) { return target == CLOSS_DENSE_U8 || target == CLOSS_DENSE_F32; }

// The label, or the byte, that makes a channel's target 1, and how many there can be.
static inline int64_t channel_positive(closs_target target, int64_t classes, int64_t channel) {
    return classes == 1 || target == CLOSS_DENSE_U8 ? 1 : channel;
}

static inline int64_t channel_labels(closs_target target, int64_t classes) {
    return classes == 1 || target == CLOSS_DENSE_U8 ? 2 : classes;
}

// How the gradient is written.
typedef enum gradient_store { STORE_PLAIN, STORE_STREAMING, STORE_ADD } gradient_store;

// Where a buffer's elements lie: `sample`, `channel`, `plane`, `row` and `column` elements apart.
typedef struct buffer_layout {
    int64_t sample, channel, plane, row, column;
    int64_t origin;   // the number of the voxel that the buffer begins with
    int64_t span;     // elements from the first to the last of all
    int viewed;       // by the caller's view, not as the shape has it
    int linear;       // all voxels of a sample lie `column` apart
    closs_float type; // of logits and gradients
    size_t bytes;     // of an element
} buffer_layout;

typedef struct run_layout {
    int64_t rows, columns;
    buffer_layout logits, targets, mask, weights, maps, gradient;
} run_layout;

// Elements of a buffer of logits or gradients from `from` on.
static inline size_t float_bytes(closs_float type) { return type == CLOSS_FLOAT32 ? sizeof(float) : 2; }

static inline const float *logits_from(const float *from, closs_float type, int64_t elements) {
    return (const float *)((const char *)from + elements * (int64_t)float_bytes(type));
}

static inline float *gradient_from(float *from, closs_float type, int64_t elements) {
    return from ? (float *)((char *)from + elements * (int64_t)float_bytes(type)) : 0;
}

// Where a voxel lies, counted from the sample's (and channel's) first element, and how many of the voxels from it on
// lie `column` apart.
static inline int64_t layout_stretch(const run_layout *l, const buffer_layout *b, int64_t voxel, int64_t voxels,
                                     int64_t *offset) {
    if (b->linear) {
        *offset = (voxel - b->origin) * b->column;
        return voxels;
    }
    int64_t column = voxel % l->columns, row = voxel / l->columns;
    *offset = row / l->rows * b->plane + row % l->rows * b->row + column * b->column;
    return l->columns - column < voxels ? l->columns - column : voxels;
}

// A half or a bfloat16, wherever it stands.
static inline float float_of_bits16(const void *at, closs_float type) {
    uint16_t bits;
    uint32_t wide;
    float value;
    __builtin_memcpy(&bits, at, sizeof bits);
    if (type == CLOSS_BFLOAT16) {
        wide = (uint32_t)bits << 16;
        __builtin_memcpy(&value, &wide, sizeof value);
        return value;
    }
    wide = (uint32_t)(bits & 0x7fff) << 13; // the exponent is 112 too small
    __builtin_memcpy(&value, &wide, sizeof value);
    value *= 0x1p+112f;
    __builtin_memcpy(&wide, &value, sizeof wide);
    if ((bits & 0x7fff) >= 0x7c00) wide |= 0x7f800000;
    wide |= (uint32_t)(bits & 0x8000) << 16;
    __builtin_memcpy(&value, &wide, sizeof value);
    return value;
}

// A stretch of voxels, at most RUN_VOXELS of them, that begins at a multiple of BLOCK_VOXELS in its sample. Pointers
// point at its first voxel; where there is a layout, at the first element of its sample (and channel) instead, of
// whatever type the layout says, and `first` is the number of its first voxel there.
typedef struct run {
    const float *logits;
    int64_t class_stride; // from one class's voxel to the next class's, in elements
    int channel;          // not for softmax: the channel that the run belongs to
    closs_target target;
    const void *targets;
    const uint8_t *mask;  // or NULL
    const float *weights; // or NULL
    const float *maps;    // or NULL; class_stride holds here too
    // Maps of terms that measure distances, or NULL: of all classes, `distance_stride` apart, and of several terms,
    // `distance_term_stride` apart. Whatever the layout, they begin with the run's first voxel. Past their end there are
    // more floats, at least a block's, which may be anything.
    const float *distance_maps;
    int64_t distance_stride, distance_term_stride;
    float *gradient; // class_stride holds here too
    gradient_store store;
    int64_t voxels;
    const run_layout *layout;               // NULL: as kernels read it, one element after another
    closs_float logits_type, gradient_type; // without a layout
    const run_layout *beside;               // without a layout: not NULL: classes stand side by side, as this says
    uintptr_t ahead;                        // of a block that was taken apart: where the next one begins
    size_t ahead_bytes;                     // ... and how much of it there is for each class; otherwise 0
    int64_t first;
    int channels; // with a layout, of a kernel that goes by channel: not 0: so many from channel 0 on, together
    const float *lovasz_slopes; // t of 8.8, or NULL; rows of whole blocks, `lovasz_stride` apart by class
    int64_t lovasz_stride;
} run;

// The gradient's coefficients as a run's kernel uses them (arithmetic 4, 5.4, 7.2), the caller's scale in them.
typedef struct run_coefficients {
    const float *target, *other, *square;    // T, B, Q of the run's classes, [classes] (a channel's kernel: [1])
    const float *target_below, *other_below; // of soft targets T + M, B + M; with hard ones M is part of T
    float pointwise[CLOSS_MAX_TERMS];
    float factor[CLOSS_MAX_TERMS]; // of terms divided by their factors: what their derivative is multiplied by (7.1)
    // The selection term (8): the values that take part are the positives (where the term has them) and the others
    // above the threshold, and of those at the threshold the ones below `tie_end` (counted from the run's first voxel).
    float balanced;
    float ranked;    // the coefficient of those that are taken for their rank: another one in 8.7 only
    float threshold; // NaN where none is taken
    int64_t tie_end;
    const float *lovasz; // K of 8.8, of the run's classes
} run_coefficients;

// What a run adds up to, in quanta (arithmetic 6.2) or counts. Only what the formula asks for is filled in.
typedef struct class_sums {
    int64_t product, probability, square; // I, P, S
    int64_t minimum;                      // M, of soft targets
    int64_t target, target_square;        // G, H, of soft targets; G of weighted hard ones too
    int64_t valid;                        // V, weighted
    int64_t count;                        // of voxels labelled so
    int64_t loss[CLOSS_MAX_TERMS];        // of each pointwise term; with class parts
    int64_t loss_rest[CLOSS_MAX_TERMS];   // of those that keep rests
} class_sums;

typedef struct run_sums {
    int64_t valid;
    int64_t soft; // not 0: dense targets of a softmax: the weights of its classes are summed by the kernel
    int64_t loss[CLOSS_MAX_TERMS];
    int64_t weight[CLOSS_MAX_TERMS];                                  // of runs with voxel weights, or soft ones
    int64_t loss_rest[CLOSS_MAX_TERMS], weight_rest[CLOSS_MAX_TERMS]; // of formulas with rests
    class_sums *classes;                                              // [classes]; a channel's kernel: [1]
} run_sums;

// A block of one of the run's distance maps, of class `c` from the run's own on.
static inline const float *distances_at(const run *at, const pointwise_formula *term, int c) {
    return at->distance_maps + (term->distances - 1) * at->distance_term_stride + c * at->distance_stride;
}

// The distance maps `voxels` further on.
static inline const float *distances_from(const run *at, int64_t voxels) {
    return at->distance_maps ? at->distance_maps + voxels : 0;
}

// What a kernel found that must be refused; where exactly is for a slower look to say.
typedef enum fault { FAULT_NONE = 0, FAULT_FOUND = 1 } fault;

// What a look at a run, before anything is computed of it, came to.
typedef struct run_survey {
    uint32_t largest_logit_bits; // of the magnitudes
    uint32_t largest_map_bits;   // of the magnitudes
    float largest_weight;
} run_survey;

// A stage of the search for a selection term's threshold.
typedef struct selection_digit {
    uint32_t prefix;      // the digits found so far, in place
    uint32_t prefix_mask; // which bits those are; 0 at first
    int shift;            // of the digit that is counted
    uint32_t digit_mask;
} selection_digit;

// A stretch of keys in which the threshold is sought: base .. base + (bins << shift) - 1, in bins of 1 << shift keys.
// Keys above it and up to `top` are taken for certain.
typedef struct selection_window {
    uint32_t base, top;
    int shift;
    uint32_t bins;
} selection_window;

// What a sweep over a window does besides counting: the first one also checks the input, and unless the losses come
// with the gradient or last, adds up those of the positives; each then adds up those of the negatives above the window.
typedef struct selection_sweep {
    int first, losses;
} selection_sweep;

typedef struct selection_sums {
    int64_t positives, negatives;
    __int128 positive_loss; // in quanta
    __int128 negative_loss; // of the keys above the prefix or the window, or of all that are taken
    int64_t above;          // how many are above the window
} selection_sums;

// A stretch of two maps, of one sample, and what they should be (arithmetic 10).
typedef struct binarization_run {
    const float *map, *threshold;   // P and T
    int logits;                     // not 0: the maps are sigmoids of these
    int balanced;                   // P's own loss is the balanced term, not Dice
    const pointwise_formula *error; // T's own loss
    float steepness;                // k
    closs_target target;            // CLOSS_DENSE_U8 or CLOSS_DENSE_F32
    const void *targets;
    const uint8_t *mask; // or NULL
    const float *threshold_map;
    const uint8_t *threshold_mask;            // or NULL
    float *map_gradient, *threshold_gradient; // or NULL
    gradient_store store;
    int64_t voxels;
} binarization_run;

// The search for a selection term's threshold, on one instruction set: among logits, of which the positives are taken
// and the negatives ranked, or among losses, of which those are taken that are large enough and the others ranked.
typedef struct selection_walks {
    fault (*start)(const formula *, const run *, const selection_digit *, uint32_t *histogram, selection_sums *);
    void (*count)(const formula *, const run *, const selection_digit *, uint32_t *histogram);
    fault (*above)(const formula *, const run *, const selection_digit *, uint32_t *histogram, selection_sums *);
    // Counts both kinds; where that takes the losses, adds up those that are taken.
    fault (*targets)(const formula *, const run *, selection_sums *);
    fault (*in_window)(const formula *, const run *, const selection_window *, selection_sweep, uint32_t *histogram,
                       selection_sums *);
    int64_t (*ties)(const formula *, const run *, uint32_t threshold);
    // The losses of the ranked that are taken, weighted; NULL where nothing is.
    fault (*taken)(const formula *, const run *, uint32_t threshold, int64_t tie_end, selection_sums *);
    int64_t (*loss)(const formula *, uint32_t key); // in quanta
    fault (*check)(const formula *, const run *);   // whether a loss is beyond the exact range
} selection_walks;

// Sums in quanta, and counts.
typedef struct binarization_sums {
    int64_t product, binary, target;      // of the binary map: I, B and G
    int64_t map_product, map_probability; // of P, where its loss is Dice; its targets' sum is G
    int64_t positives, negatives;         // not of targets between 0 and 1
    int64_t error, threshold_valid;       // of T
} binarization_sums;

// The gradients' coefficients, the caller's scale in them.
typedef struct binarization_coefficients {
    run_coefficients map;        // of the balanced term
    float map_target, map_other; // T and B
    float error;
    float binary_target, binary_constant; // A and C
} binarization_coefficients;

// One family's walks over a run, on one instruction set.
typedef struct walks {
    // Whether runs of these targets, without mask, weights and maps, have a walk that reads and writes elements of any
    // type where they are.
    int (*in_place)(const formula *, closs_target);
    fault (*totals)(const formula *, const run *, run_sums *);
    void (*gradient)(const formula *, const run *, const run_coefficients *, __int128 *balanced_loss);
    fault (*totals_and_gradient)(const formula *, const run *, const run_coefficients *, run_sums *);
} walks;

extern const walks softmax_walks_generic, channel_walks_generic;
extern const selection_walks ranked_walks_generic;
#if defined(__x86_64__)
extern const walks softmax_walks_avx2, channel_walks_avx2;
extern const walks softmax_walks_avx512, channel_walks_avx512;
extern const selection_walks ranked_walks_avx2, ranked_walks_avx512;
#endif

// Which losses a map holds, and with what factors (arithmetic 6.5).
typedef struct loss_map_factors {
    int only;                      // the pointwise term whose losses they are; -1: the sum of all
    float factor[CLOSS_MAX_TERMS]; // of each pointwise term
} loss_map_factors;

// Writes the unreduced losses of a run's voxels one after another.
typedef void loss_map_kernel(const formula *, const run *, const loss_map_factors *, float *map);

loss_map_kernel loss_map_generic;
#if defined(__x86_64__)
loss_map_kernel loss_map_avx2, loss_map_avx512;
#endif

// The kernels of one instruction set.
typedef struct kernels {
    closs_isa isa;
    // The first four take several channels together, whose sums, coefficients and findings are arrays then (losses and
    // findings of all are one).
    fault (*totals)(const formula *, const run *, run_sums *);
    // `balanced_loss`: gets the loss of the values that the balanced term takes; NULL: not wanted.
    void (*gradient)(const formula *, const run *, const run_coefficients *, __int128 *balanced_loss);
    // Of regions only the gradient: a softmax's, whose sums are known.
    fault (*totals_and_gradient)(const formula *, const run *, const run_coefficients *, run_sums *);
    fault (*survey)(const formula *, const run *, int with_logits, run_survey *, run_sums *);
    const selection_walks *of_logits, *of_losses;
    fault (*binarization_totals)(const binarization_run *, binarization_sums *);
    // Gives back the loss of the values that the balanced term takes.
    __int128 (*binarization_gradient)(const binarization_run *, const binarization_coefficients *);
    loss_map_kernel *loss_map;
    const struct distance_kernels *distance;
    const struct metric_kernels *metrics;
    const struct hausdorff_kernels *hausdorff;
    const struct weight_kernels *weights;
    const struct lovasz_kernels *lovasz;
} kernels;

extern const kernels kernels_generic;
#if defined(__x86_64__)
extern const kernels kernels_avx2;
extern const kernels kernels_avx512;
#endif

// The kernels of an instruction set; NULL where this build or machine has none.
const kernels *kernels_for(closs_isa isa);

#endif
