/* SegLoss for C: fused segmentation losses with gradients, the same bits everywhere.
 *
 * A loss is a weighted sum of terms on top of one activation. Four verbs compute it:
 *
 *     plan        shape, activation, terms, options       -> an immutable plan
 *     accumulate  plan, a batch or a part of one          -> totals (integers)
 *     finish      plan, totals                            -> the value, its parts, the gradient's coefficients
 *     gradient    plan, coefficients, the same batch      -> the gradient, into the caller's memory
 *
 * closs_evaluate does all of it for one whole batch. Totals are exact integers: parts of a batch may be accumulated on
 * any number of threads, in any order, on any machine; adding the words of their totals gives the bits of one call.
 *
 * LAYOUT. Logits and gradient are float [samples][classes][voxels], contiguous; voxels is the product of the spatial
 * extents, 2-D and 3-D alike. Labels, mask and weights are [samples][voxels]; dense targets have the logits' layout.
 * No alignment is asked for. All counts are in elements unless a name says bytes.
 * Buffers that lie otherwise (channels last, crops of larger images, every second label) are described by a closs_view;
 * logits and gradient may also be halves or bfloat16 (closs_float). Neither changes a bit of what is computed.
 *
 * MEMORY. closs_plan_create is the only function that allocates; the plan owns copies of everything it needs.
 * Everything else works in memory of the caller's, whose sizes the plan tells.
 *
 * THREADS. A plan never changes after its creation: any number of threads may use it at once, each with scratch, totals
 * and results of its own. A call itself runs on up to closs_spec.threads threads. The number never changes a bit of any
 * result.
 *
 * ERRORS. Every call that can be refused returns a status and, where closs_error is given, says what was wrong, where,
 * and what was expected. A refused call changes none of the caller's totals, logits, gradients or results (with one
 * exception, by request: see closs_checks); scratch is always the library's to overwrite.
 *
 * STACK. A call takes up to 128 KiB of the stack of each thread that it runs on; 3 KiB more for each class of a softmax,
 * or of a loss that measures distances; 64 KiB more, and 1 KiB for each class, where buffers have views or another type
 * than float; and 320 KiB more with CLOSS_ISA_GENERIC.
 *
 * NUMBERS. What every operation does to the last bit stands in docs/arithmetic.md. Losses are added up in steps of
 * 2^-32 of four voxels: the mean of losses that are all below about 1e-6 has fewer digits, and of losses below 1e-11 it
 * is 0 (those of one divided by its factors in steps of 2^-80, those of a Hausdorff loss in steps of 2^-80 of its
 * distances' scale); gradients are not rounded so. Voxel weights are resolved to 2^-32: let maps hold weights around 1.
 * Inputs must be finite, including those of voxels that are masked or ignored.
 */
#ifndef CLOSS_H
#define CLOSS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CLOSS_VERSION_MAJOR 0
#define CLOSS_VERSION_MINOR 1

#if defined(__GNUC__)
#define CLOSS_API __attribute__((visibility("default")))
#else
#define CLOSS_API
#endif

enum {
    CLOSS_MAX_CLASSES = 512, /* classes or channels of a plan */
    CLOSS_MAX_TERMS = 8      /* terms of a loss */
};

/* ---------------------------------------------------------------------------------------------------- errors ---- */

typedef enum closs_status {
    CLOSS_OK = 0,
    CLOSS_NULL_POINTER = 1,     /* a buffer that the call needs is NULL */
    CLOSS_WRONG_SIZE = 2,       /* a buffer's count is not the one that the plan's shape gives */
    CLOSS_TOO_SMALL = 3,        /* totals, coefficients or scratch hold less than the plan asks for */
    CLOSS_BAD_SHAPE = 4,        /* a zero, negative or too large extent, or too few or too many classes */
    CLOSS_BAD_OPTION = 5,       /* an option is negative, not finite, or outside its range */
    CLOSS_BAD_TERM = 6,         /* a term does not fit the activation, the targets or the other terms */
    CLOSS_BAD_PART = 7,         /* a part of a batch lies outside the shape or is not cut at 64 voxels */
    CLOSS_BAD_LABEL = 8,        /* a label is no class and not ignore_index */
    CLOSS_BAD_TARGET = 9,       /* a dense target is outside [0, 1], or not 0 or 1 where a term needs that */
    CLOSS_BAD_WEIGHT = 10,      /* a voxel weight is negative or not finite */
    CLOSS_NOT_FINITE = 11,      /* a logit or a map's value is NaN or infinite */
    CLOSS_BAD_PROBABILITY = 12, /* a probability is outside [0, 1] */
    CLOSS_OUT_OF_RANGE = 13,    /* a sum would leave the range in which totals are exact */
    CLOSS_OVERLAP = 14,         /* buffers overlap that must not */
    CLOSS_UNSUPPORTED_ISA = 15, /* this machine or build lacks the instruction set asked for */
    CLOSS_BAD_THREADS = 16,     /* a negative thread count */
    CLOSS_OUT_OF_MEMORY = 17    /* a create function found no memory */
} closs_status;

/* What was wrong, where, and what was expected. */
typedef struct closs_error {
    closs_status status;
    int64_t index;     /* of the offending value in its buffer (of a sum that is too large: of the first logit of its
                        * block), of the word in the totals, or of the term in the spec; -1 where none applies */
    char message[240]; /* one English sentence, NUL-terminated */
} closs_error;

/* The status's name in words, for any value; a string that lives forever. */
CLOSS_API const char *closs_status_text(closs_status status);

/* ------------------------------------------------------------------------------------------------------ spec ---- */

typedef struct closs_shape {
    int64_t samples; /* at least 1 */
    int64_t classes; /* softmax: 2 .. CLOSS_MAX_CLASSES; otherwise the channels, 1 .. CLOSS_MAX_CLASSES */
    int64_t voxels;  /* of one sample: height * width, or depth * height * width; at least 1 */
} closs_shape;

typedef enum closs_activation {
    CLOSS_SOFTMAX = 0,      /* the input is logits, p = softmax over the classes */
    CLOSS_SIGMOID = 1,      /* the input is logits, p = 1 / (1 + exp(-x)) of each channel */
    CLOSS_PROBABILITIES = 2 /* the input already is p of each channel, in [0, 1]; the gradient is dL/dp */
} closs_activation;

/* One instruction set computes what another does, bit for bit; only the time differs. */
typedef enum closs_isa {
    CLOSS_ISA_BEST = 0,    /* the fastest that this machine has */
    CLOSS_ISA_GENERIC = 1, /* what the compiler's baseline has: NEON on AArch64; on x86-64 without fma, and slow */
    CLOSS_ISA_AVX2 = 2,    /* AVX2 and FMA */
    CLOSS_ISA_AVX512 = 3   /* AVX-512 F, BW, DQ, VL */
} closs_isa;

/* When a call that writes a gradient looks for values that it must refuse. Plans that total first and then write
 * (region and selection terms) have always looked at everything before; for plans of pointwise terms alone, which
 * need one sweep for value and gradient, it is a choice. */
typedef enum closs_checks {
    CLOSS_CHECK_BEFORE_WRITING = 0, /* read everything once more first: a refused call leaves the gradient untouched */
    CLOSS_CHECK_WHILE_WRITING = 1   /* one sweep: a refused call still says why, but has overwritten the gradient. A
                                     * gradient in place of the logits is always checked before. */
} closs_checks;

/* What a pointwise term's sum is divided by. Where it comes to zero (everything ignored) the term is 0 with a zero
 * gradient. */
typedef enum closs_divisor {
    CLOSS_DIVIDE_BY_WEIGHT = 0, /* the sum of the weights (class weight of the label times voxel weight) that entered */
    CLOSS_DIVIDE_BY_VALID = 1,  /* the number of values that are neither masked nor ignored */
    CLOSS_DIVIDE_BY_ALL = 2,    /* the number of values, ignored ones too */
    CLOSS_DIVIDE_BY_CONSTANT = 3, /* divisor_value: 1 gives the sum */
    /* The other two are for losses of channels, and of each logit's sigmoid inside a softmax. */
    CLOSS_DIVIDE_BY_TARGET = 4, /* the sum of the targets times the weights that entered: sum_ic w_c v_i g_ic */
    CLOSS_DIVIDE_BY_FACTORS = 5 /* focal, not inside a softmax: the sum of the modulating factors times the weights that
                                 * entered, or divisor_value (finite, >= 0) where that is more. The gradient goes
                                 * through the sum: such a plan takes two sweeps. */
} closs_divisor;

/* Over what a term's totals are taken before its formula is applied. */
typedef enum closs_scope {
    CLOSS_PER_SAMPLE = 0,        /* the formula for each sample (and class), then the mean of the samples */
    CLOSS_PER_BATCH = 1,         /* the formula once (for each class), on totals over the batch */
    CLOSS_PER_SAMPLE_POOLED = 2, /* for each sample, on totals over all classes that take part; region, Lovasz terms */
    CLOSS_PER_BATCH_POOLED = 3   /* once, on totals over batch and classes; region and Lovasz terms */
} closs_scope;

typedef enum closs_denominator {
    CLOSS_LINEAR = 0, /* sum p + sum g */
    CLOSS_SQUARED = 1 /* sum p^2 + sum g^2 (V-Net) */
} closs_denominator;

/* How prediction and target meet in the intersection I. For targets of 0 and 1 both are the same. */
typedef enum closs_product {
    CLOSS_PRODUCT = 0, /* sum p g */
    CLOSS_MINIMUM = 1  /* sum min(p, g) = (sum p + sum g - sum |p - g|) / 2, the L1 form for soft targets: least loss
                        * where p = g. Derivative 1 where p < g, 0 where p > g, 1/2 where they are equal */
} closs_product;

/* What a region term makes of its score D. */
typedef enum closs_region_value {
    CLOSS_ONE_MINUS_SCORE = 0, /* 1 - D */
    CLOSS_MINUS_SCORE = 1,     /* -D (nnU-Net) */
    CLOSS_MINUS_LOG_SCORE = 2, /* -log max(D, least_score); the gradient is 0 where D is below that */
    CLOSS_LOG_COSH = 3         /* log cosh(1 - D) */
} closs_region_value;

/* What a class (or a pool of classes) counts for whose sum g is 0. The other rules have a zero gradient. */
typedef enum closs_absent {
    CLOSS_ABSENT_NATURAL =
        0,                 /* what the formula gives: 1 - n / (sum p + d) for Dice; where that is 0/0, a score of 1 */
    CLOSS_ABSENT_ZERO = 1, /* 0, and it counts in the mean (segmentation_models.pytorch) */
    CLOSS_ABSENT_SKIPPED = 2, /* nothing: the mean is of the other classes (kornia) */
    CLOSS_ABSENT_ONE = 3      /* 1, and it counts in the mean */
} closs_absent;

/* Where class weights enter a region term. */
typedef enum closs_weighting {
    CLOSS_WEIGHTS_MULTIPLIED = 0, /* sum_c w_c L_c / number of classes (MONAI) */
    CLOSS_WEIGHTS_NORMALIZED = 1, /* sum_c w_c L_c / sum_c w_c */
    CLOSS_WEIGHTS_INSIDE = 2      /* within the sums of a pooled scope */
} closs_weighting;

/* The weights of the classes in a generalised Dice, from their volumes G = sum g. */
typedef enum closs_volume_weighting {
    CLOSS_VOLUME_UNIFORM = 0, /* 1 */
    CLOSS_VOLUME_SIMPLE = 1,  /* 1 / (G + offset) */
    CLOSS_VOLUME_SQUARE = 2   /* 1 / (G^2 + offset) */
} closs_volume_weighting;

typedef enum closs_exponent_of {
    CLOSS_EXPONENT_OF_CLASSES = 0, /* each class's loss is raised */
    CLOSS_EXPONENT_OF_MEAN = 1     /* the mean over the classes is */
} closs_exponent_of;

/* Members of a term that are left out are 0. The usual values are others for some: every weight, focal gamma 2 with
 * alpha 0.25, Dice smoothing 1e-5 above and below, Tversky alpha and beta, a balanced term's ratio 3 with epsilon 1e-6
 * per batch, a top-k term's 10 per cent per batch, OHEM's threshold 0.7 with 100000 kept per batch,
 * balanced L1's ratio 3 per batch, a Hausdorff loss's alpha 2 without the background, present classes per batch for a
 * Lovasz softmax. */
typedef enum closs_term_kind {
    CLOSS_CROSS_ENTROPY = 1,
    CLOSS_BINARY_CROSS_ENTROPY = 2,
    CLOSS_FOCAL = 3,
    CLOSS_DICE = 4,
    CLOSS_BALANCED_BINARY_CROSS_ENTROPY = 5,
    CLOSS_JACCARD = 20,
    CLOSS_TVERSKY = 21,
    CLOSS_GENERALIZED_DICE = 22,
    CLOSS_MATTHEWS = 23,
    CLOSS_LEAKY_DICE = 24,
    CLOSS_ABSOLUTE_ERROR = 40,
    CLOSS_SMOOTH_L1 = 41,
    CLOSS_SQUARED_ERROR = 42,
    CLOSS_LINEAR_MAP = 43,
    CLOSS_FOCAL_STAR = 44,
    CLOSS_BOUNDARY = 45,
    CLOSS_HAUSDORFF = 46,
    CLOSS_TOP_K = 60,
    CLOSS_OHEM = 61,
    CLOSS_BALANCED_L1 = 62,
    CLOSS_LOVASZ_SOFTMAX = 80,
    CLOSS_LOVASZ_HINGE = 81
} closs_term_kind;

/* Softmax cross entropy with label smoothing e, class weights w, voxel weights v (PyTorch's CrossEntropyLoss):
 *     sum_i v_i [ (1-e) w[y_i] nll_i(y_i)^x + e/C sum_c w_c nll_i(c) ] / divisor,      nll_i(c) = -log p_i(c).
 * With dense targets g, in place of w[y_i] nll_i(y_i) stands sum_c g_ic w_c nll_i(c)^x: PyTorch's class probabilities,
 * whose mean is CLOSS_DIVIDE_BY_VALID; the weight of a voxel is v_i sum_c g_ic w_c. The exponent x makes the
 * cross-entropy half of the exponential logarithmic loss (Wong et al. 2018); below 1 its slope is held where nll is
 * below 2^-126. */
typedef struct closs_cross_entropy {
    const float *class_weights; /* [classes], each >= 0 and below 2^19, not all 0; NULL: all 1 */
    size_t class_weights_count;
    double label_smoothing; /* e in [0, 1] */
    closs_divisor divisor;
    double divisor_value; /* > 0, for CLOSS_DIVIDE_BY_CONSTANT */
    double exponent;      /* x, finite, >= 0; 0 and 1: none. Any other takes no label smoothing. */
} closs_cross_entropy;

/* What the voxel weights of a binary cross entropy are factors of. Their sum is the same for both. */
typedef enum closs_weight_form {
    CLOSS_WEIGHTS_OF_ALL = 0,
    CLOSS_WEIGHTS_OF_POSITIVES =
        1 /* of -a h log p alone (TensorFlow's weighted_cross_entropy_with_logits with a map) */
} closs_weight_form;

/* Binary cross entropy of each channel, with voxel weights v and positive weights a (PyTorch's BCEWithLogitsLoss; from
 * probabilities BCELoss, whose logarithms are held at -100):
 *     sum_ic w_c v_i [ -a_c h log p - (1-h) log(1-p) ] / divisor,     h = g (1-s) + (1-g) s with label smoothing s. */
typedef struct closs_binary_cross_entropy {
    const float *positive_weights; /* a, [classes], each >= 0 and below 2^19; NULL: all 1 */
    size_t positive_weights_count;
    closs_divisor divisor; /* a_c does not count in the sum of weights, w_c does */
    double divisor_value;
    const float *class_weights; /* w, [classes], each >= 0 and below 2^19, not all 0; NULL: all 1 */
    size_t class_weights_count;
    double label_smoothing; /* s in [0, 1] */
    int per_channel; /* softmax: not 0, as it must be: of each logit's sigmoid, whose target is 1 where the label is c */
    int positives_only; /* not 0: without the summand of 1-h: -sum_ic w_c v_i a_c g log p; no label smoothing then */
    double
        log_offset; /* o: log(p+o) and log(1-p+o), from probabilities: 0, or 1e-30 to 1. A p+o above 1 counts below 0 */
    closs_weight_form weight_form; /* of what the voxel weights are factors; inside a softmax of all */
} closs_binary_cross_entropy;

/* Which alpha negatives have. */
typedef enum closs_alpha_form {
    CLOSS_ALPHA_BALANCED = 0, /* 1 - alpha */
    CLOSS_ALPHA_POSITIVES = 1 /* none: they weigh 1 (MONAI with an alpha for each class) */
} closs_alpha_form;

/* What a focal loss raises to gamma, for targets between 0 and 1. For targets of 0 and 1 both are the same. */
typedef enum closs_modulation {
    CLOSS_MODULATION_PROBABILITY = 0, /* 1 - p_t */
    CLOSS_MODULATION_LOGIT = 1        /* sigmoid(x (1 - 2 g)), x the logit (MONAI); not from probabilities */
} closs_modulation;

/* Focal loss of each channel (Lin et al. 2017; torchvision's sigmoid_focal_loss), with p_t = p g + (1-p)(1-g) and
 * a_t = a g + (1-a)(1-g):
 *     sum_ic w_c v_i a_t (1 - p_t)^gamma [ -g log p - (1-g) log(1-p) ] / divisor.
 * With softmax the focal loss of the classes (kornia's focal_loss, MONAI's FocalLoss with use_softmax):
 *     sum_i v_i a[y_i] w[y_i] (1 - p_i(y_i))^gamma nll_i(y_i) / divisor,      a_0 = 1-a, the others' a (1 without alpha);
 * with dense targets sum_c g_ic a_c w_c (1 - p_i(c))^gamma nll_i(c). The weight of a voxel is v_i w[y_i] (v_i sum_c
 * g_ic w_c). With softmax and per_channel, the channels' formula, each with its w_c, on the sigmoid of each logit (the
 * focal half of MONAI's DiceFocalLoss and GeneralizedDiceFocalLoss; smp's multiclass FocalLoss): the weight of a value
 * is v_i w_c. */
typedef struct closs_focal {
    double gamma;  /* >= 0 */
    int has_alpha; /* 0: a_t = 1 */
    double alpha;  /* a in [0, 1] */
    closs_divisor divisor;
    double divisor_value;
    const float *class_weights; /* w, [classes], each >= 0 and below 2^19, not all 0; NULL: all 1 */
    size_t class_weights_count;
    const float *class_gammas; /* [classes], each finite and >= 0, in place of gamma; NULL: gamma for all. Softmax only,
                                * and not per channel. */
    size_t class_gammas_count;
    int per_channel; /* softmax: not 0: of each logit's sigmoid */
    /* The rest are options of the channels' formula, with softmax of that per channel. */
    const float *class_alphas; /* a_c, [classes], each in [0, 1], in the place of alpha; NULL: alpha for all */
    size_t class_alphas_count;
    closs_alpha_form alpha_form;
    const float
        *positive_weights; /* f_c, [classes], each >= 0 and below 2^19: a_t = a_c f_c g + (1-a_c) (1-g); NULL: all 1 */
    size_t positive_weights_count;
    double reduced_threshold; /* T in [1/64, 1]: the factor is ((1 - p_t) / T)^gamma, and 1 where p_t < T (reduced focal
                                  * loss, Sergievskiy and Ponamarev 2019); 0: none. T^-gamma may be 2^19 at most */
    closs_modulation modulation;
    int positives_only; /* not 0: -sum_ic w_c v_i a_c f_c g (1-p)^gamma log p alone */
    double log_offset;  /* o: log(p+o) and log(1-p+o), from probabilities: 0, or 1e-30 to 1 */
} closs_focal;

/* Focal loss star of each channel (FL*, Lin et al. 2017, appendix; fvcore's sigmoid_focal_loss_star), for the sigmoid,
 * with a_t = a g + (1-a)(1-g):
 *     sum_ic w_c v_i a_t [ -log sigmoid(gamma x (2g - 1) + shift) / gamma ] / divisor. */
typedef struct closs_focal_star {
    double gamma;  /* 2^-19 to 2^19 */
    double shift;  /* beta of the paper, of magnitude 2^19 at most; fvcore: 0 */
    int has_alpha; /* 0: a_t = 1 */
    double alpha;  /* a in [0, 1] */
    closs_divisor divisor;
    double divisor_value;
    const float *class_weights; /* w, [classes], each >= 0 and below 2^19, not all 0; NULL: all 1 */
    size_t class_weights_count;
} closs_focal_star;

/* Region terms. Of each class, over the valid voxels of a sample or of the batch,
 *     I = sum p g,    P = sum p,    G = sum g,    V = number of valid values
 * (with a squared denominator P = sum p^2 and G = sum g^2), and a score D, n and d being the smoothings:
 *     CLOSS_DICE              (2 I + n) / (P + G + d)
 *     CLOSS_JACCARD           (I + n) / (P + G - I + d)
 *     CLOSS_TVERSKY           (I + n) / (I + alpha (P - I) + beta (G - I) + d)
 *     CLOSS_GENERALIZED_DICE  (2 sum_c w_c I_c + n) / (sum_c w_c (P_c + G_c) + d), w_c by volume_weighting; pooled
 *     CLOSS_MATTHEWS          (TP TN - FP FN + n) / (sqrt((TP+FP) (TP+FN) (TN+FP) (TN+FN) + smooth_product) + d),
 *                             TP = I, FP = P - I, FN = G - I, TN = V - P - G + I, each with smooth_counts; 0 where it
 *                             would be 0/0. Or 1 where P = I = G: perfect_is_one
 *     CLOSS_LEAKY_DICE        1 - alpha (1 - (I + n) / (P + d)) - beta (1 - (I + n) / (G + d)): precision and recall
 * The loss of a class is made of D by `value`, then raised to the exponent (0 where it is not positive); the term is
 * the mean over the classes that take part, then over the samples. All zero: 1 - D, linear, per sample and class. */
typedef struct closs_region {
    double smooth_numerator;   /* n >= 0 */
    double smooth_denominator; /* d >= 0 */
    closs_denominator denominator;
    closs_scope scope;
    int exclude_background;     /* not 0: class 0 takes no part; needs two classes or more */
    const float *class_weights; /* w, [classes], each >= 0, not all 0 among those that take part; NULL: all 1 */
    size_t class_weights_count;
    closs_weighting weighting;
    uint64_t classes[CLOSS_MAX_CLASSES / 64]; /* bit c % 64 of word c / 64: class c takes part; all 0: all do */
    closs_product product;
    closs_region_value value;
    double least_score; /* for CLOSS_MINUS_LOG_SCORE, in [0, 1] */
    double exponent;    /* >= 0; 0 and 1: none. Focal Tversky, exponential-logarithmic loss */
    closs_exponent_of exponent_of;
    const float *class_exponents; /* [classes], one for each class in the place of `exponent`; NULL: none */
    size_t class_exponents_count;
    closs_absent absent;
    double least_denominator;  /* >= 0: the denominator is held there, without a gradient; not for Matthews */
    double least_intersection; /* >= 0: I is held there (nnU-Net's clip_tp); Dice only */
    double alpha, beta;        /* >= 0, Tversky, leaky Dice: weights of false positives and false negatives */
    double smooth_counts;      /* 0 to 1e30, Matthews */
    double smooth_product;     /* 0 to 1e30, Matthews (MONAI's smooth_dr) */
    int perfect_is_one;        /* not 0, Matthews: where nothing is wrong, P = I = G, the score is 1, whatever the
                                * smoothing and also where a margin is empty (MONAI) */
    closs_volume_weighting volume_weighting; /* generalised Dice. A weight of 1/0 becomes the largest of the others */
    double volume_offset;                    /* >= 0 */
    double most_volume_weight;               /* >= 0; 0: no limit */
    int weighted; /* not 0: voxel weights v enter all sums, I = sum v p g and so on, and the gradient is times v. All
                   * region terms of a loss must agree in this. 0: voxel weights do not enter */
} closs_region;

/* Binary cross entropy over all positives and the hardest negatives (DBNet's balanced cross entropy, Liao et al. 2020):
 *     [ sum over positives + sum over the k negatives of greatest loss ] / (positives + k + epsilon),
 *     k = min(negatives, max(floor(negative_ratio * positives), minimum_negatives)).
 * The negatives are ranked by their logit (or probability), in which the loss is monotonic; among equals the lowest
 * index is taken. Targets must be 0 or 1; voxel weights are refused. A loss has one term at most that selects: this
 * one, CLOSS_TOP_K, CLOSS_OHEM or CLOSS_BALANCED_L1. */
typedef struct closs_balanced_binary_cross_entropy {
    double negative_ratio;      /* >= 0 */
    int64_t minimum_negatives;  /* >= 0 */
    double epsilon;             /* >= 0; where positives + k + epsilon is 0 the term is 0 with a zero gradient */
    closs_scope scope;          /* one ranking for each sample, or one for the batch; over all channels */
    int64_t fallback_negatives; /* >= 0; where there are no positives at least so many are taken: MMOCR's
                                 * fallback_negative_num */
} closs_balanced_binary_cross_entropy;

/* What a top-k term takes a share of. */
typedef enum closs_ignored {
    CLOSS_IGNORED_COUNTED = 0, /* all values: those that are masked or ignored count with a loss of 0 (nnU-Net) */
    CLOSS_IGNORED_EXCLUDED = 1 /* the values that are neither masked nor ignored */
} closs_ignored;

/* The mean of the k largest losses, of N values (nnU-Net's TopKLoss):
 *     [ sum of the k largest losses ] / k,     k = floor(N percent / 100), at least 1.
 * Softmax: the losses are those of a closs_cross_entropy at the N voxels, v_i [ (1-e) w[y_i] nll_i(y_i) + e/C sum_c w_c
 * nll_i(c) ], with dense targets sum_c g_ic w_c nll_i(c) for w[y_i] nll_i(y_i). Otherwise w_c v_i [ -g log p - (1-g)
 * log(1-p) ] of the N values of all channels. Weights are ranked with the losses and divide nothing. Among equals the
 * lowest index is taken; where k is more than the valid values, the others are zeros. */
typedef struct closs_top_k {
    double percent; /* above 0, at most 100 */
    closs_ignored ignored;
    closs_scope scope;          /* one ranking for each sample (N of that sample), or one for the batch */
    const float *class_weights; /* w, [classes], each >= 0 and below 2^19, not all 0; NULL: all 1 */
    size_t class_weights_count;
    double label_smoothing; /* e in [0, 1]; 0 without a softmax */
} closs_top_k;

/* Online hard example mining (mmsegmentation's OhemCrossEntropy and OHEMPixelSampler): the cross entropy (softmax), or
 * the binary cross entropy of each value, of those whose loss is above -log(threshold), that is, whose target has a
 * probability below it; where they are fewer than minimum_kept, of the minimum_kept values of greatest loss (all, where
 * there are fewer), among equals those of the lowest index:
 *     [ sum over the values kept ] / divisor.
 * Class weights are factors of the losses that are added up, w[y_i] nll_i(y_i) (with dense targets sum_c g_ic w_c
 * nll_i(c); of channels w_c times the loss), and never enter the divisor. Beside a threshold they leave alone what is
 * kept; with a threshold of 0 the greatest weighted losses are kept. Voxel weights are refused. */
typedef struct closs_ohem {
    double threshold;           /* in [0, 1]; 0: none is kept for its loss alone, the minimum_kept greatest are */
    int64_t minimum_kept;       /* >= 0; of each group that the scope makes */
    closs_divisor divisor;      /* CLOSS_DIVIDE_BY_WEIGHT: the number of values kept; valid and all are a group's */
    double divisor_value;       /* > 0, for CLOSS_DIVIDE_BY_CONSTANT */
    closs_scope scope;          /* one selection for each sample, or one for the batch */
    const float *class_weights; /* w, [classes], each >= 0 and below 2^19, not all 0; NULL: all 1 */
    size_t class_weights_count;
} closs_ohem;

/* Balanced L1 (DB's BalanceL1Loss): the mean error |p - g| of the positives and that of the hardest negatives,
 *     [ sum over positives ] / positives + [ sum over the k negatives of greatest |p - g| ] / k,
 *     k = min(negatives, max(floor(negative_ratio * positives), minimum_negatives)).
 * The batch's maps say what is positive: values above 0 (DB: its mask); the others are negative, whatever their target,
 * which may be any number in [0, 1]. A mean over nothing is 0. Among equals the lowest index is taken. Not for a
 * softmax; voxel weights are refused, and so is a CLOSS_LINEAR_MAP beside it, whose maps would be the same. */
typedef struct closs_balanced_l1 {
    double negative_ratio;     /* >= 0 */
    int64_t minimum_negatives; /* >= 0 */
    closs_scope scope;         /* one ranking for each sample, or one for the batch; over all channels */
} closs_balanced_l1;

/* Lovasz losses (Berman, Triki, Blaschko 2018): the Lovasz extension of the Jaccard loss. Of each class, over the valid
 * voxels of a sample or of the batch, the errors
 *     CLOSS_LOVASZ_SOFTMAX   e = 1 - p of the voxels of the class (the foreground), p of the others; any activation
 *     CLOSS_LOVASZ_HINGE     e = max(0, 1 - x) of the foreground, max(0, 1 + x) of the others, x the logit; sigmoid
 * are sorted, the greatest first, and the class's loss is
 *     L_c = sum_k e_k (J_k - J_k-1),      J_k = 1 - (F - f_k) / (F + b_k),
 * F the foreground's size, f_k and b_k how many of the first k are foreground and background: J_k is the Jaccard loss
 * of getting just these wrong. The term is sum_c w_c L_c / number of classes that count, then the mean of the samples.
 * The gradient is J_k - J_k-1 at each error, 0 where the error is; among equal errors the lowest index comes first.
 * In a pooled scope all classes that take part are one class: smp's multilabel hinge.
 *
 * Targets must be 0 or 1; voxel weights do not enter. A loss has one such term at most, and in a softmax none beside a
 * weighted region term. Ranking needs a whole problem at once: parts must be whole samples, or with a batch scope the
 * whole batch. Scratch holds 4 bytes for each value, 16 for each of the problems that are sorted at a time (one for each
 * thread that there is work for), none of which may have more than 2147483520, and 25 KiB for each of these threads; a
 * sample's row of values is filled up to a multiple of 64. All zero: per sample, all classes. */
typedef struct closs_lovasz {
    closs_scope scope;
    int present_only; /* not 0: a class without foreground does not count (Berman's classes="present"). Otherwise its
                       * loss is its greatest error */
    int exclude_background; /* not 0: class 0 takes no part; needs two classes or more */
    uint64_t classes[CLOSS_MAX_CLASSES / 64]; /* bit c % 64 of word c / 64: class c takes part; all 0: all do */
    const float *class_weights; /* w, [classes], each >= 0, not all 0 among those that take part; NULL: all 1. They
                                 * multiply and divide nothing (mmsegmentation, kornia); not in a pooled scope */
    size_t class_weights_count;
} closs_lovasz;

/* Errors of the probability itself, with class weights w and voxel weights v; the targets may be any in [0, 1]:
 *     sum_ic w_c v_i loss(p - g) / divisor,
 *     CLOSS_ABSOLUTE_ERROR   loss(d) = |d|           (L1; with a mask DBNet's loss of the threshold map)
 *     CLOSS_SQUARED_ERROR    loss(d) = d^2           (Brier score, mean squared error)
 *     CLOSS_SMOOTH_L1        loss(d) = d^2 / (2 beta) where |d| < beta, |d| - beta / 2 elsewhere (PyTorch's SmoothL1Loss)
 * The derivative of |d| at 0 is 0. Through the sigmoid, through the softmax (p and g of each class, g 1 where the label
 * is c; the weight of a value is w_c v_i, and there are as many values at a voxel as classes), or by p. */
typedef struct closs_probability_error {
    const float *class_weights; /* w, [classes], each >= 0 and below 2^19, not all 0; NULL: all 1 */
    size_t class_weights_count;
    double beta; /* >= 0, for CLOSS_SMOOTH_L1; 0 is L1 */
    closs_divisor divisor;
    double divisor_value;
} closs_probability_error;

/* The probability times a map that comes with the batch (closs_batch.maps), of any sign: with signed distance maps the
 * boundary loss (Kervadec et al. 2019):
 *     sum_ic w_c v_i p m / divisor.
 * With a softmax of each class's probability, with a map for each class. */
typedef struct closs_linear_map {
    const float *class_weights; /* w, as above; 0 leaves a class out, of the sum of weights too */
    size_t class_weights_count;
    closs_divisor divisor;
    double divisor_value;
} closs_linear_map;

/* The spatial extents of a sample, the plan's voxels = planes * rows * columns; voxels are numbered with the column
 * running fastest. A 0 stands for 1; all 0 for one row of all voxels. */
typedef struct closs_extents {
    int64_t planes, rows, columns;
} closs_extents;

/* What a signed map says of the voxels inside that touch the outside, voxels one length apart. */
typedef enum closs_inner_boundary {
    CLOSS_INNER_MINUS_ONE = 0, /* -1: inside is -d. The outer boundary is +1; no voxel is 0 */
    CLOSS_INNER_HALF = 1,      /* -1/2: inside is -(d - s / 2), outside d - s / 2: the border between voxels is 0 */
    CLOSS_INNER_ZERO = 2,      /* 0: inside is -(d - s), outside d */
    CLOSS_INNER_ZERO_UNIT = 3  /* inside is -(d - 1) whatever the spacing, outside d, as Kervadec et al. published it */
} closs_inner_boundary;        /* s: the least spacing of an axis with several voxels */

/* What a map holds where there is nothing to be far from: a sample without the class, or inside a class that fills it
 * (there the negative). */
typedef enum closs_distance_far {
    CLOSS_FAR_ZERO = 0,     /* 0: such a sample has no say */
    CLOSS_FAR_DIAGONAL = 1, /* the sample's diagonal, which no distance reaches; its square in squared maps */
    CLOSS_FAR_INFINITY = 2
} closs_distance_far;

/* Which voxels a Hausdorff loss takes for those that are predicted to be a class's. */
typedef enum closs_prediction {
    CLOSS_PREDICTION_THRESHOLD = 0, /* p > 1/2, each class by itself */
    CLOSS_PREDICTION_LARGEST = 1    /* the class of the largest input, the first of equals; needs several classes */
} closs_prediction;

/* On which sides of a boundary a Hausdorff loss measures distances. */
typedef enum closs_sides {
    CLOSS_SIDES_BOTH = 0,  /* outside to the nearest voxel inside, inside to the nearest outside (MONAI) */
    CLOSS_SIDES_INSIDE = 1 /* inside alone; 0 outside (LIVIAETS) */
} closs_sides;

/* Losses of exact Euclidean distances, which are measured inside the call:
 *     CLOSS_BOUNDARY    sum_ic w_c v_i p m / divisor: the boundary loss (Kervadec et al. 2019), m the signed distance map of
 *                       the target's class c, negative inside
 *     CLOSS_HAUSDORFF   L = sum_ic w_c v_i (p - g)^2 (d_p^alpha + d_g^alpha) / divisor, or log(1 + L): the Hausdorff
 *                       distance loss by distance transforms (Karimi and Salcudean 2019), d_p and d_g the distances from
 *                       the boundary of the prediction's region and of the target's
 * For the gradient the distances are constants. A class's region are its valid voxels with g > 1/2; voxels that are
 * masked or ignored are in no region, and their loss is 0. Only what takes part is measured. closs_spec.extents must be
 * given; parts must be of whole samples. A loss has one term of each kind at most. Members that are of the other kind
 * must be 0.
 *
 * Scratch holds the maps, 4 bytes for each value; of a Hausdorff loss 5 more for each value of the samples whose
 * predictions are measured side by side: one, or as many as keep the threads busy. Beside them each thread that is
 * worth having (one for 16384 values) has a room for a block of columns, as in closs_distance_map, and a byte for each
 * column, rounded up to 128: with a thread for every block 9 bytes for each value in 2-D, 5 in 3-D, twice that where
 * spacings differ, and more only where rows do not fill their blocks. */
typedef struct closs_distance_term {
    const float
        *class_weights; /* w, [classes], each >= 0 and below 2^19, not all 0 among those that take part; 0 leaves a
                                 * class out, of the sum of weights too; NULL: all 1 */
    size_t class_weights_count;
    uint64_t classes[CLOSS_MAX_CLASSES / 64]; /* bit c % 64 of word c / 64: class c takes part; all 0: all do */
    int exclude_background;                   /* not 0: class 0 takes no part, unless it is the only one */
    double spacing[3];      /* between voxels along planes, rows and columns, as of closs_distance_spec */
    closs_distance_far far; /* zero or diagonal */
    closs_divisor divisor;
    double divisor_value;
    closs_inner_boundary inner_boundary; /* CLOSS_BOUNDARY. As published: CLOSS_INNER_ZERO_UNIT */
    double alpha;                        /* CLOSS_HAUSDORFF, above 0; the usual value is 2 */
    closs_prediction prediction;         /* CLOSS_HAUSDORFF */
    closs_sides sides;                   /* CLOSS_HAUSDORFF */
    int logarithm;                       /* CLOSS_HAUSDORFF; not 0: the term is log(1 + L) */
} closs_distance_term;

typedef struct closs_term {
    closs_term_kind kind;
    double weight; /* finite; the term's factor in the loss */
    union {
        closs_cross_entropy cross_entropy; /* the member that `kind` names */
        closs_binary_cross_entropy binary_cross_entropy;
        closs_focal focal;
        closs_region region; /* of every region term */
        closs_balanced_binary_cross_entropy balanced_binary_cross_entropy;
        closs_probability_error probability_error; /* absolute, squared, smooth L1 */
        closs_linear_map linear_map;
        closs_focal_star focal_star;
        closs_top_k top_k;
        closs_ohem ohem;
        closs_balanced_l1 balanced_l1;
        closs_distance_term distance; /* boundary, Hausdorff */
        closs_lovasz lovasz; /* softmax, hinge */
    } of;
} closs_term;

typedef struct closs_spec {
    closs_shape shape; /* of the whole batch, however many parts it comes in */
    closs_activation activation;
    int has_ignore_index; /* not 0: voxels labelled ignore_index take no part in anything */
    int64_t ignore_index; /* for dense uint8_t targets it excludes that channel's value alone; not for dense float,
                           * nor for dense targets of a softmax */
    const closs_term *terms;
    size_t term_count; /* 1 .. CLOSS_MAX_TERMS */
    int threads;       /* 0: OpenMP's default; n: at most n. Small inputs use fewer. */
    closs_isa isa;
    closs_checks checks;
    int per_sample; /* not 0: totals are kept for each sample, for closs_result.per_sample. Changes no other bit. */
    int per_class;  /* not 0: the losses of a softmax's pointwise terms are added up for each class too, for
                     * closs_result.per_class. Changes no other bit, but takes a slower sweep. */
    closs_extents extents; /* of a sample, whose product is shape.voxels. All 0: not given; terms that measure distances
                            * need them */
} closs_spec;

/* ------------------------------------------------------------------------------------------------------ plan ---- */

typedef struct closs_plan closs_plan;

/* Makes a plan of a copy of `spec` (the arrays that it points to included), to be given back to closs_plan_destroy. */
CLOSS_API closs_status closs_plan_create(const closs_spec *spec, closs_plan **plan, closs_error *error);

/* Frees a plan; NULL is let pass. */
CLOSS_API void closs_plan_destroy(closs_plan *plan);

/* Bytes of scratch that each call with the plan needs; no alignment is asked for. */
CLOSS_API size_t closs_scratch_bytes(const closs_plan *plan);

/* int64_t words of the plan's totals. */
CLOSS_API size_t closs_totals_count(const closs_plan *plan);

/* int64_t words of the plan's coefficients, a block whose inside is the library's own. */
CLOSS_API size_t closs_coefficients_count(const closs_plan *plan);

/* How often a batch must be accumulated, in stages 0, 1, ...: 1, but 4 with a term that selects over the batch (balanced,
 * top-k, OHEM, balanced L1), whose threshold is found digit by digit, and 5 where that is an OHEM with class weights
 * beside a threshold, whose losses are added up once it is known which are kept. */
CLOSS_API int closs_stage_count(const closs_plan *plan);

/* The instruction set that the plan's calls use. */
CLOSS_API closs_isa closs_plan_isa(const closs_plan *plan);

/* The threads that the plan's calls use at most. */
CLOSS_API int closs_plan_threads(const closs_plan *plan);

/* Not 0 where this build and this machine can run `isa`. */
CLOSS_API int closs_isa_available(closs_isa isa);

/* ----------------------------------------------------------------------------------------------------- batch ---- */

/* What is known about the image. Class indices are 0 .. classes - 1. With one channel they are 0 (background) and 1;
 * with several channels that are not a softmax, channel c has target 1 where the label is c. Dense targets hold one
 * value for each channel and voxel: uint8_t 0 or 1, or float in [0, 1]. Those of a softmax are the classes'
 * probabilities: with a cross entropy or a focal loss of the classes they must add up to 1 within 0.001 at every valid
 * voxel. */
typedef enum closs_target {
    CLOSS_LABELS_U8 = 1,
    CLOSS_LABELS_U16 = 2,
    CLOSS_LABELS_I32 = 3,
    CLOSS_LABELS_I64 = 4,
    CLOSS_DENSE_U8 = 5,
    CLOSS_DENSE_F32 = 6
} closs_target;

/* The type of logits (or probabilities) and of gradients; of the processor's byte order. Whatever it is, the arithmetic
 * is that of float: an element is converted exactly when it is read, and rounded once, to nearest even, when it is
 * written. A gradient beyond the type's range is then an infinity of its sign (half: from 65520 on), as in every
 * conversion; choose closs_gradient_buffer.scale so that it is not. Subnormals are kept. */
typedef enum closs_float {
    CLOSS_FLOAT32 = 0,
    CLOSS_FLOAT16 = 1, /* IEEE 754 binary16; pass what holds its bits, a uint16_t where there is no such type */
    CLOSS_BFLOAT16 = 2 /* the upper half of a float */
} closs_float;

/* Where a buffer's elements lie: how many elements further on the next sample is, the next class or channel (labels,
 * masks and weights have none), the next plane, row and column. The buffer's pointer points at the first voxel of the
 * first sample. None may be negative; 0 repeats an element, where it is read only. All 0: contiguous, as in LAYOUT.
 *
 *     channels last [samples][rows][columns][classes], contiguous: {rows * columns * classes, 1, 0, 0, classes}, and
 *         no extents are needed; a crop of it: {H * W * classes, 1, 0, W * classes, classes} with the crop's extents
 *     every second label of every second row of [samples][H][W]: {H * W, 0, 0, 2 * W, 2}
 *
 * A buffer with a view holds whole samples: of a part of a batch its voxels are read where they lie in their sample
 * (first_sample is the first that the buffer holds). Its count must be larger than every element's place, and may be
 * larger still. What lies between is neither read nor written. */
typedef struct closs_view {
    int64_t sample, channel, plane, row, column;
} closs_view;

/* A batch, or a part of one. A part holds samples first_sample .. first_sample + sample_count - 1 of the plan's shape
 * and of each the voxels first_voxel .. first_voxel + voxel_count - 1; its buffers are contiguous and hold the part
 * alone. A count of 0 stands for all. first_voxel must be a multiple of 64, and voxel_count too unless it ends the
 * sample; a term that selects (balanced, top-k, OHEM, balanced L1), measures distances or is a Lovasz term needs whole
 * samples, a Lovasz term over the batch the whole batch. */
typedef struct closs_batch {
    const void *logits; /* float unless logits_type says otherwise; or probabilities: [samples][classes][voxels] */
    size_t logits_count;
    closs_target target; /* the type of `targets`; parts of one batch may differ in it */
    const void *targets; /* labels: [samples][voxels]; dense: [samples][classes][voxels] */
    size_t targets_count;
    const uint8_t *mask; /* [samples][voxels]: 0 takes the voxel out of everything; NULL: all are in */
    size_t mask_count;
    const float *weights; /* [samples][voxels], each >= 0: factors of the pointwise terms and of weighted
                           * region terms; NULL: all 1 */
    size_t weights_count;
    int64_t first_sample, sample_count;
    int64_t first_voxel, voxel_count;
    const float *maps; /* the logits' layout, finite: what a CLOSS_LINEAR_MAP term multiplies, or where the
                        * positives of a CLOSS_BALANCED_L1 term are; NULL without such a term */
    size_t maps_count;
    closs_float logits_type;
    closs_extents extents; /* of a sample, for the views */
    closs_view logits_view, targets_view, mask_view, weights_view, maps_view;
} closs_batch;

typedef enum closs_write {
    CLOSS_OVERWRITE = 0, /* gradient = scale * dL/dlogits; the gradient may be the logits' own buffer
                          * if it has their type and view */
    CLOSS_ADD = 1        /* gradient += scale * dL/dlogits; that product is rounded before it is added */
} closs_write;

/* Where the gradient goes. */
typedef struct closs_gradient_buffer {
    void *values; /* float unless `type` says otherwise; [samples][classes][voxels], or as `view` says */
    size_t count;
    closs_write write;
    float scale; /* finite; 1 for the gradient itself (0, where it was left out, gives zeros) */
    closs_float type;
    closs_view view; /* its elements must be apart: no stride of 0, none that leads from one element to another's */
} closs_gradient_buffer;

/* What a loss came to. The arrays are the caller's; NULL where they are not wanted. */
typedef struct closs_result {
    double value;      /* sum over the terms of weight * term */
    double *terms;     /* [term_count]: each term without its weight */
    double *per_class; /* [term_count][classes]: region and Lovasz terms: the class's loss without its class weight, the
                         * mean of the samples (0 for a class left out, and for pooled scopes); pointwise terms: what
                         * the channel adds to the term. With a softmax they need a plan made with per_class: what the
                         * voxels of that label add (0 with dense targets); of terms per channel and of errors, what the
                         * class's values add. 0 for the others */
    size_t terms_count, per_class_count;
    /* [term_count][samples]: what each term is of that sample alone, as if the batch were that sample: its own divisor,
     * its own sums. 0 for a term that selects or ranks over the whole batch. For plans made with per_sample; refused
     * for others. */
    double *per_sample;
    size_t per_sample_count;
} closs_result;

/* ----------------------------------------------------------------------------------------------------- verbs ---- */

/* Value, parts and gradient of one whole batch in one call. `gradient` NULL: the value only. */
CLOSS_API closs_status closs_evaluate(const closs_plan *plan, const closs_batch *batch,
                                      const closs_gradient_buffer *gradient, closs_result *result, void *scratch,
                                      size_t scratch_bytes, closs_error *error);

/* One of the scales of a network that is supervised at several (deep supervision): a plan of its own shape, its batch,
 * and its share in the loss. Targets are often every second, fourth, ... label of one map: see closs_view. */
typedef struct closs_scale {
    const closs_plan *plan;
    const closs_batch *batch;
    const closs_gradient_buffer *gradient; /* NULL: not wanted */
    double weight;                         /* w, finite: the gradient's scale is multiplied by it, then rounded */
    closs_result *result;                  /* of this scale, without its weight */
} closs_scale;

enum { CLOSS_MAX_SCALES = 16 };

/* Bytes of scratch that closs_evaluate_scales needs: the sum of the plans'. 0 where a plan is NULL. */
CLOSS_API size_t closs_scales_scratch_bytes(const closs_scale *scales, size_t count);

/* The sum over the scales, in order, of weight * value, and all gradients. Everything is checked before anything is
 * written, as far as closs_evaluate does: a scale that is refused leaves those before it untouched too. The error's
 * message begins with the scale's number where one is at fault. */
CLOSS_API closs_status closs_evaluate_scales(const closs_scale *scales, size_t count, double *value, void *scratch,
                                             size_t scratch_bytes, closs_error *error);

/* Adds a part's sums to `totals` (all words 0 at first). A stage above 0 reads the merged words of the stages before
 * it, and every part must be accumulated in it again. Buffers may be larger than the plan asks for. */
CLOSS_API closs_status closs_accumulate(const closs_plan *plan, int stage, const closs_batch *part, int64_t *totals,
                                        size_t totals_count, void *scratch, size_t scratch_bytes, closs_error *error);

/* The words that `stage` adds to: `*count` words from `*first` on. What to add up element by element, across
 * micro-batches or ranks (an all-reduce of int64 sums), after each stage; of up to 2^36 voxels in all. The plans of all
 * ranks must agree in shape, activation, terms, ignore_index, per_sample and per_class. A stage that does not exist has
 * no words. */
CLOSS_API void closs_stage_words(const closs_plan *plan, int stage, size_t *first, size_t *count);

/* into += from, the words of one stage. */
CLOSS_API closs_status closs_merge(const closs_plan *plan, int stage, int64_t *into, size_t into_count,
                                   const int64_t *from, size_t from_count, closs_error *error);

/* The loss that the totals of the whole batch amount to, and the coefficients of its gradient (NULL: not wanted). */
CLOSS_API closs_status closs_finish(const closs_plan *plan, const int64_t *totals, size_t totals_count,
                                    closs_result *result, int64_t *coefficients, size_t coefficients_count,
                                    closs_error *error);

/* The gradient of a part, by the coefficients of the whole batch. Where the plan checks before writing, the part is
 * looked through again; where it checks while writing, the part is taken to be the one that was accumulated. */
CLOSS_API closs_status closs_gradient(const closs_plan *plan, const int64_t *coefficients, size_t coefficients_count,
                                      const closs_batch *part, const closs_gradient_buffer *gradient, void *scratch,
                                      size_t scratch_bytes, closs_error *error);

enum { CLOSS_ALL_TERMS = -1 };

/* The unreduced losses of a part, for hard examples, uncertainty or a picture: at every value what `term` (an index of
 * the spec's terms) adds to its sum, class and voxel weights in it, divided by nothing; or with CLOSS_ALL_TERMS the sum
 * over the pointwise terms of weight times that. 0 where a voxel does not count. Region, selecting and Lovasz terms
 * have no loss of a single voxel: they are refused by name, and stay out of the sum. `map` holds [samples][voxels] of
 * the part with softmax, where a voxel's loss is of all its classes, else [samples][classes][voxels]; contiguous,
 * whatever the views of the batch. Refused is what closs_accumulate refuses, and what float could not hold. A refused
 * call leaves the map as it was. */
CLOSS_API closs_status closs_loss_map(const closs_plan *plan, const closs_batch *part, int term, float *map,
                                      size_t map_count, void *scratch, size_t scratch_bytes, closs_error *error);

/* --------------------------------------------------------------------------------------------- distance maps ---- */

/* Exact Euclidean distance transforms of label maps, of one to three dimensions: for each class and voxel
 *
 *     d = the least of sqrt(sum over the axes (spacing * steps)^2)
 *
 * over all voxels of the class (of a signed map's voxels inside the class: over all voxels outside it). Every squared
 * distance is a sum of whole numbers and none is approximated: the map is, bit for bit, the one that looking at every
 * pair of voxels gives, on any number of threads (arithmetic 12). Where spacings differ, their squares are rounded
 * before, by 2^-21 of themselves at most.
 *
 * For sums to be whole numbers an extent is at most 2^24; where axes of several voxels have spacings that differ, the
 * sample's diagonal is at most 46340 times the least of them (what is up to 65536 times may be accepted). A map has at
 * most 2^45 values.
 *
 * Beside what maps of 16 bits need, scratch holds rooms for blocks of 32 columns (16 where spacings differ, or the
 * squares of the extents less 1 add up to 2^30 or more): one for each thread, but no more than all maps have blocks. A
 * room is about 128 bytes for each of 2 max(planes, rows) lines and, of several planes, for each of their planes * rows
 * rows, however few the columns: let the last axis be a long one. A call takes no more threads than its scratch has
 * rooms for: scratch that was sized when OpenMP's default was another will do, and only what has no room for one thread
 * is refused. */
typedef enum closs_distance_form {
    CLOSS_DISTANCE_UNSIGNED = 0, /* d, 0 inside */
    CLOSS_DISTANCE_SQUARED = 1,  /* d^2, 0 inside */
    CLOSS_DISTANCE_SIGNED = 2    /* positive outside, negative inside: see closs_inner_boundary */
} closs_distance_form;

/* How maps are stored. */
typedef enum closs_distance_type {
    CLOSS_DISTANCE_FLOAT32 = 0,
    CLOSS_DISTANCE_FLOAT16 = 1, /* IEEE 754 binary16, rounded to nearest even. Refused where the extents allow values of
                                 * 65520 or more, which would be infinite: squares of 256 steps are */
    CLOSS_DISTANCE_INT16 = 2    /* int16_t of value / scale, rounded to nearest even; at most 32767 in magnitude */
} closs_distance_type;

typedef struct closs_distance_spec {
    int64_t samples;
    closs_extents extents;  /* of one sample; 0 stands for 1 */
    double spacing[3];      /* between voxels along planes, rows and columns, 2^-40 .. 2^40; 0 stands for 1. What
                            * differs is resolved to 2^-21 of its square or better */
    const int64_t *classes; /* the labels to make maps of; NULL: 0 .. class_count - 1 */
    int class_count;
    closs_distance_form form;
    closs_inner_boundary boundary;
    closs_distance_far far;
    closs_distance_type type;
    double scale; /* of CLOSS_DISTANCE_INT16: one step's length; 0 stands for 1 */
    int threads;  /* 0: OpenMP's default */
    closs_isa isa;
} closs_distance_spec;

/* Bytes of scratch that closs_distance_map needs; 0 where it would refuse the spec. 4 for each value of maps of 16 bits,
 * and rooms for blocks as closs_surface_scratch_bytes has them, of samples * class_count maps. */
CLOSS_API size_t closs_distance_scratch_bytes(const closs_distance_spec *spec);

/* Writes map[samples][class_count][voxels] from labels[samples][voxels] (CLOSS_LABELS_U8 to CLOSS_LABELS_I64). A label
 * that is not among the classes is outside all of them; a class that the labels' type cannot hold is refused. Labels and
 * map are aligned as their elements are. */
CLOSS_API closs_status closs_distance_map(const closs_distance_spec *spec, closs_target target, const void *labels,
                                          size_t labels_count, void *map, size_t map_count, void *scratch,
                                          size_t scratch_bytes, closs_error *error);

/* --------------------------------------------------------------------------------------------------- metrics ---- */

/* What predictions are worth, beside the losses: whole counts, from which scores follow, and distances between
 * surfaces. All are the same on any number of threads and every instruction set (arithmetic 15). Buffers are
 * contiguous, and aligned as their elements are. Voxels that are masked (a mask of 0) or labelled ignore_index take no
 * part; their values must be finite (or probabilities) all the same, their predicted labels may be anything. A refused
 * call writes no result.
 *
 * What closs_..._scratch_bytes gives is for as many threads as a call with that spec takes then: with threads 0,
 * OpenMP's default may be another later. A call takes no more threads than its scratch has rooms for, whichever way it
 * has changed, and is refused for want of scratch only where that is less than one thread's. So does
 * closs_distance_map. */

/* Of a class, or of a channel at one threshold: how often prediction and truth are which. */
typedef struct closs_counts {
    int64_t true_positives, false_positives, false_negatives, true_negatives;
} closs_counts;

typedef enum closs_prediction_kind {
    CLOSS_PREDICTED_LABELS = 0, /* [samples][voxels], each the number of a class */
    CLOSS_PREDICTED_LOGITS = 1  /* [samples][classes][voxels]: the class of the largest, of equal ones the first.
                                 * Probabilities do as well */
} closs_prediction_kind;

typedef struct closs_metric_batch {
    const void *predictions;
    size_t predictions_count;
    closs_target predicted;       /* of predicted labels: their type, CLOSS_LABELS_U8 to CLOSS_LABELS_I64 */
    closs_float predictions_type; /* of logits and probabilities */
    closs_target target;
    const void *targets;
    size_t targets_count;
    const uint8_t *mask; /* [samples][voxels]; NULL: all are in */
    size_t mask_count;
} closs_metric_batch;

/* Confusion counts: how many voxels of each class were predicted to be of which. */
typedef struct closs_confusion_spec {
    closs_shape shape; /* 1 .. CLOSS_MAX_CLASSES classes */
    closs_prediction_kind prediction;
    int has_ignore_index;
    int64_t ignore_index;
    int threads; /* 0: OpenMP's default */
    closs_isa isa;
} closs_confusion_spec;

/* Bytes of scratch that closs_confusion needs; 0 where it would refuse the spec. */
CLOSS_API size_t closs_confusion_scratch_bytes(const closs_confusion_spec *spec);

/* matrix[samples][classes][classes]: how many voxels have the class of the row and are predicted to have that of the
 * column. Targets are labels. */
CLOSS_API closs_status closs_confusion(const closs_confusion_spec *spec, const closs_metric_batch *batch,
                                       int64_t *matrix, size_t matrix_count, void *scratch, size_t scratch_bytes,
                                       closs_error *error);

/* counts[samples][classes] of each class against the others, from such matrices. Numbers that are negative, or of which
 * a sample's leave int64_t when added up, are refused.
 *
 * Of a data set: matrices and counts of batches may be added up, for scores over all voxels, or stand one after the
 * other as those of so many samples, for averages of samples (closs_average). */
CLOSS_API closs_status closs_confusion_counts(int64_t samples, int64_t classes, const int64_t *matrix,
                                              size_t matrix_count, closs_counts *counts, size_t counts_count,
                                              closs_error *error);

enum { CLOSS_MAX_THRESHOLDS = 1024 };

/* Confusion counts of single channels at every threshold of a list, in one sweep: a channel is predicted where p > t,
 * strictly. Logits are never turned into probabilities: x > float(log t - log(1 - t)) is what is counted, and exact.
 * Every value is compared with every threshold. */
typedef struct closs_threshold_spec {
    closs_shape shape;           /* 1 .. CLOSS_MAX_CLASSES channels */
    closs_activation activation; /* CLOSS_PROBABILITIES, or CLOSS_SIGMOID: predictions are logits */
    const float *thresholds;     /* each in [0, 1] and above the one before */
    int threshold_count;         /* 1 .. CLOSS_MAX_THRESHOLDS; time grows with it */
    int has_ignore_index;
    int64_t ignore_index; /* of labels and of CLOSS_DENSE_U8, whose other channels stay in */
    int threads;
    closs_isa isa;
} closs_threshold_spec;

/* Bytes of scratch that closs_threshold_counts needs; 0 where it would refuse the spec. */
CLOSS_API size_t closs_threshold_scratch_bytes(const closs_threshold_spec *spec);

/* counts[samples][channels][threshold_count]. Targets are labels, 1 in channel c where the label is c (one channel
 * alone: where it is 1), or dense ones of 0 and 1. */
CLOSS_API closs_status closs_threshold_counts(const closs_threshold_spec *spec, const closs_metric_batch *batch,
                                              closs_counts *counts, size_t counts_count, void *scratch,
                                              size_t scratch_bytes, closs_error *error);

/* Scores of counts, with TP, FP, FN and TN for their numbers. */
typedef enum closs_score_kind {
    CLOSS_SCORE_DICE = 0,           /* 2 TP / (2 TP + FP + FN), the F1 score */
    CLOSS_SCORE_IOU = 1,            /* TP / (TP + FP + FN), the Jaccard index */
    CLOSS_SCORE_PRECISION = 2,      /* TP / (TP + FP) */
    CLOSS_SCORE_RECALL = 3,         /* TP / (TP + FN), the sensitivity */
    CLOSS_SCORE_SPECIFICITY = 4,    /* TN / (TN + FP) */
    CLOSS_SCORE_ACCURACY = 5,       /* (TP + TN) / (TP + FP + FN + TN) */
    CLOSS_SCORE_BACKGROUND_IOU = 6, /* TN / (TN + FP + FN) */
    CLOSS_SCORE_TWO_CLASS_IOU = 7   /* the mean of IoU and background IoU, whatever closs_empty says without one that
                                     * is empty; it is empty where both are (TensorFlow's MeanIoU, with ..._ZERO) */
} closs_score_kind;

/* What a score is whose denominator is 0. */
typedef enum closs_empty {
    CLOSS_EMPTY_EXCLUDED = 0, /* NaN, and means leave it out */
    CLOSS_EMPTY_ONE = 1,
    CLOSS_EMPTY_ZERO = 2,
    CLOSS_EMPTY_TARGET_EXCLUDED = 3, /* NaN wherever TP + FN = 0, whatever was predicted (MONAI's ignore_empty) */
    CLOSS_EMPTY_ABSENT_EXCLUDED = 4  /* NaN where TP + FP + FN = 0, the class neither true nor predicted; else 0
                                      * (torchmetrics, and scikit-learn without labels, both with zero_division 0) */
} closs_empty;

/* How the scores of samples and classes become one number. A NaN is left out of every mean; a mean of nothing is NaN. */
typedef enum closs_average {
    CLOSS_AVERAGE_MACRO = 0,            /* counts are added over the samples; the mean of the classes' scores */
    CLOSS_AVERAGE_MICRO = 1,            /* counts are added over samples and classes; one score */
    CLOSS_AVERAGE_MACRO_PER_SAMPLE = 2, /* of each sample the mean of its classes' scores; the mean of those (MONAI's
                                         * "mean"; segmentation_models.pytorch's "macro-imagewise" where none is empty)
                                         * */
    CLOSS_AVERAGE_MICRO_PER_SAMPLE = 3  /* of each sample the score of the counts added over its classes; their mean */
} closs_average;

/* One score; NaN where a count is negative, 0 for a kind that there is not. */
CLOSS_API double closs_score(const closs_counts *counts, closs_score_kind kind, closs_empty empty);

typedef struct closs_score_spec {
    int64_t samples, classes;
    int thresholds; /* 0 stands for 1 */
    closs_score_kind kind;
    closs_average average;
    closs_empty empty;
    int64_t first_class; /* classes before it, such as the background, are left out */
} closs_score_spec;

/* values[thresholds], from counts[samples][classes][thresholds], and, where it is wanted, the mean of these over the
 * thresholds. Counts that are negative, or leave int64_t when those of a threshold are added up, are refused. */
CLOSS_API closs_status closs_scores(const closs_score_spec *spec, const closs_counts *counts, size_t counts_count,
                                    double *values, size_t values_count, double *mean, closs_error *error);

/* Distances between the surfaces of a predicted class and of the true one. A class's surface is those of its voxels
 * that have a neighbour outside it across a face, or lie at the image's border (as in MONAI: the class without its
 * erosion); axes of extent 1 have no neighbours. Masked and ignored voxels are outside both. The distance of a surface
 * voxel is that to the nearest of the other surface, exact as distance maps are; all surface voxels weigh alike.
 *
 * The q-th percentile of n distances in order d[0] <= ... is d[r], r = q / 100 (n - 1), linear between two of them
 * (NumPy's and PyTorch's default). */
typedef struct closs_surface_distances {
    int64_t predicted_voxels, target_voxels; /* of the two surfaces */
    double hausdorff;                        /* the larger of both maxima */
    double hausdorff_percentile; /* the larger of both percentiles: HD95 of MONAI. (DeepMind's surface-distance has
                                  * other surfaces: elements between voxels, weighted by area.) */
    double pooled_percentile;    /* the percentile of the distances of both (MedPy's hd95) */
    double average;              /* the mean of the distances of both: average symmetric surface distance (MONAI) */
    double maximum_to_target, percentile_to_target, average_to_target;          /* from the predicted surface alone */
    double maximum_to_predicted, percentile_to_predicted, average_to_predicted; /* from the true surface alone */
} closs_surface_distances;

/* What all ten numbers are where a surface is missing. */
typedef enum closs_surface_absent {
    CLOSS_SURFACE_INFINITE = 0, /* infinity where one is, NaN where both are: as MONAI, but that its percentiles are
                                 * NaN where one is (a quantile of infinities) */
    CLOSS_SURFACE_DIAGONAL = 1, /* the length of the image's diagonal where one is, 0 where both are */
    CLOSS_SURFACE_EXCLUDED = 2  /* NaN */
} closs_surface_absent;

typedef struct closs_surface_spec {
    int64_t samples;
    closs_extents extents;  /* of one sample; 0 stands for 1 */
    double spacing[3];      /* as of closs_distance_spec */
    const int64_t *classes; /* the labels to compare, not ignore_index; NULL: 0 .. class_count - 1 */
    int class_count;
    double percentile; /* q in [0, 100]; 95 for HD95 */
    closs_surface_absent absent;
    int has_ignore_index;
    int64_t ignore_index; /* of the targets */
    int threads;
    closs_isa isa;
} closs_surface_spec;

/* Bytes of scratch that closs_surface needs; 0 where it would refuse the spec. About, of one sample: 12 for each voxel,
 * 8 for each row of voxels, and for each room for a block 128 * (2 * max(planes, rows) + planes * rows), the product
 * only where there are several planes. There are as many rooms as threads, but no more than blocks of 32 columns (of 16
 * where spacings differ or an extent reaches 2^15) in two maps: 2 * ceil(columns / 32). */
CLOSS_API size_t closs_surface_scratch_bytes(const closs_surface_spec *spec);

/* distances[samples][class_count] of predicted labels and labels; a label that is not among the classes is outside all
 * of them. A class that the type of the labels, or of the predictions, cannot hold is refused: it is a mistake, not
 * missing. */
CLOSS_API closs_status closs_surface(const closs_surface_spec *spec, const closs_metric_batch *batch,
                                     closs_surface_distances *distances, size_t distances_count, void *scratch,
                                     size_t scratch_bytes, closs_error *error);

/* ----------------------------------------------------------------------------------------------- weight maps ---- */

/* Maps of voxel weights, made of label maps or masks: what closs_batch.weights takes. They are functions of integer
 * counts and exact distances, so that their bits depend on nothing but the labels (arithmetic 14). A map has at most
 * 2^56 values, one of cells 2^45.
 *
 * Scratch: the makers that take some say how much `threads` threads use (0: as many as OpenMP's default is at that
 * moment; 1024 at most). Less is taken too, down to what is said of one thread: then fewer threads work on what needs
 * rooms, with the same bits.
 *
 * Of box averages: a is the average, over a window around the voxel, of whether voxels are inside (of the classes).
 * What a voxel costs does not depend on the window, but for the window's lines that each thread reads before its
 * own. */
typedef enum closs_box_form {
    CLOSS_BOX_BOUNDARY = 0, /* amplitude * exp(-steepness |a - 1/2|): as published 5 exp(-5 |a - 1/2|), box 50 x 50 */
    CLOSS_BOX_BORDER = 1    /* 1 + amplitude where lower < a < upper, else 1: as published 1 + 2 where
                             * 0.005 < a < 0.995, window 11 x 11 (21 or 41 for larger images) */
} closs_box_form;

/* What an average near an edge is divided by. */
typedef enum closs_box_padding {
    CLOSS_PADDING_EXCLUDED = 0, /* the window's voxels within the image: TensorFlow's average pooling */
    CLOSS_PADDING_COUNTED = 1   /* all of the window's, zeros outside: PyTorch's, unless told otherwise */
} closs_box_padding;

/* What weights are rescaled to. */
typedef enum closs_weights_mean {
    CLOSS_MEAN_OF_BATCH = 0,  /* a mean of 1 over the batch: the amplitude of a boundary's weights has no effect then */
    CLOSS_MEAN_OF_SAMPLE = 1, /* of each sample */
    CLOSS_MEAN_FREE = 2       /* nothing */
} closs_weights_mean;

typedef struct closs_box_weights_spec {
    int64_t samples;
    closs_extents extents;  /* of one sample; 0 stands for 1 */
    int64_t window[3];      /* planes, rows, columns: each at least 1, 2^24 voxels at most. It reaches (w - 1) / 2 voxels
                             * back and w / 2 on, rounded down: an even one is TensorFlow's ("SAME") */
    const int64_t *classes; /* the labels that are inside; with CLOSS_DENSE_U8 NULL: what is not 0 is inside */
    int class_count;
    closs_box_form form;
    closs_box_padding padding;
    closs_weights_mean mean;
    double amplitude;    /* boundary: 2^-16 .. 2^16; border: 0 .. 2^16 */
    double steepness;    /* boundary: 0 .. 32; border: 0 */
    double lower, upper; /* border: 0 <= lower < upper <= 1; boundary: both 0 */
    int threads;         /* 0: OpenMP's default */
    closs_isa isa;
} closs_box_weights_spec;

/* Bytes of scratch that closs_box_weights uses; 0 where it would refuse the spec. About 36 for each sample; for each
 * thread, of no more than all samples have rows (planes, where there are several), 22 for each column of a row,
 * rounded up to 64, 4 for each that a window reaches along it, and of several planes 4 for each voxel of a plane; and
 * where weights are rescaled, 4 for each 64 voxels of a row. */
CLOSS_API size_t closs_box_weights_scratch_bytes(const closs_box_weights_spec *spec);

/* Writes map[samples][voxels] from labels[samples][voxels]: CLOSS_LABELS_U8 to CLOSS_LABELS_I64, or CLOSS_DENSE_U8, a
 * mask. Labels that are not among the classes are outside. Labels and map are aligned as their elements are. */
CLOSS_API closs_status closs_box_weights(const closs_box_weights_spec *spec, closs_target target, const void *labels,
                                         size_t labels_count, float *map, size_t map_count, void *scratch,
                                         size_t scratch_bytes, closs_error *error);

/* Of class frequencies: first counts, which add up over batches and ranks, then a weight for each class, then, where
 * it is wanted, a map. */
typedef struct closs_class_counts_spec {
    int64_t samples, voxels; /* each at least 1 */
    int class_count;         /* labels are 0 .. class_count - 1; 1 .. CLOSS_MAX_CLASSES */
    int has_ignore_index;
    int64_t ignore_index; /* voxels with this label are not counted, and weigh 0 */
    int threads;
    closs_isa isa;
} closs_class_counts_spec;

/* Adds to counts[2][class_count] (all 0 at first): the voxels of each class; and for each class the counted voxels of
 * all samples in which it is. A refused call leaves them as they were. Refused are counts that could not have been
 * counted, as closs_class_weights refuses them: negative ones, a class with more voxels than its samples, and sums that
 * leave 64 bits with all of these voxels. */
CLOSS_API closs_status closs_class_counts(const closs_class_counts_spec *spec, closs_target target, const void *labels,
                                          size_t labels_count, int64_t *counts, size_t counts_count,
                                          closs_error *error);

/* The weight of a class with n of N voxels, a share of f = n / N, among C classes. */
typedef enum closs_class_weighting {
    CLOSS_WEIGHTING_BALANCED = 0,    /* N / (C n): scikit-learn's "balanced" */
    CLOSS_WEIGHTING_INVERSE = 1,     /* N / n */
    CLOSS_WEIGHTING_ODDS = 2,        /* (N - n) / n: the positive weight of a binary cross entropy */
    CLOSS_WEIGHTING_MEDIAN = 3,      /* median of the F / F, F = n / voxels of the samples with the class (Eigen, Fergus
                                      * 2015; SegNet) */
    CLOSS_WEIGHTING_LOGARITHMIC = 4, /* 1 / log(parameter + f), parameter above 1, 100 at most (ENet: 1.02) */
    CLOSS_WEIGHTING_EFFECTIVE = 5    /* (1 - parameter) / (1 - parameter^n), parameter in [0, 1) (Cui et al. 2019) */
} closs_class_weighting;

/* The weight of a class without a voxel. */
typedef enum closs_absent_weight {
    CLOSS_ABSENT_WEIGHT_ZERO = 0,
    CLOSS_ABSENT_WEIGHT_ONE = 1,
    CLOSS_ABSENT_WEIGHT_LARGEST = 2, /* the largest of the other classes; 0 without any */
    CLOSS_ABSENT_WEIGHT_FORMULA = 3  /* logarithmic: the formula's at f = 0, 50.5 with 1.02 */
} closs_absent_weight;

typedef enum closs_weights_norm {
    CLOSS_NORM_NONE = 0,
    CLOSS_NORM_CLASSES = 1, /* a mean of 1 over the classes */
    CLOSS_NORM_VOXELS = 2   /* a mean of 1 over the counted voxels */
} closs_weights_norm;       /* both do nothing where all weights, or all counts, are 0 */

typedef struct closs_class_weights_spec {
    int class_count;
    closs_class_weighting weighting;
    double parameter; /* logarithmic, effective; else 0 */
    closs_absent_weight absent;
    closs_weights_norm norm;
} closs_class_weights_spec;

/* weights[class_count] from counts[2][class_count]. */
CLOSS_API closs_status closs_class_weights(const closs_class_weights_spec *spec, const int64_t *counts,
                                           size_t counts_count, float *weights, size_t weights_count,
                                           closs_error *error);

/* Writes map[samples][voxels]: at each voxel the weight of its class, 0 where it is ignored. Weights are finite and not
 * negative. */
CLOSS_API closs_status closs_class_weight_map(const closs_class_counts_spec *spec, closs_target target,
                                              const void *labels, size_t labels_count, const float *weights,
                                              size_t weights_count, float *map, size_t map_count, closs_error *error);

/* Of distances to cells (U-Net, Ronneberger et al. 2015), from instance labels:
 *
 *     w = w_c + w_0 exp(-(d1 + d2)^2 / (2 sigma^2)) in the background,   w_c in cells,
 *
 * d1 and d2 the exact distances to the nearest voxel of the nearest and of the second nearest cell. A cell is all
 * voxels of one label. Without two cells, and where the exponent is below -87.25, the exponential is 0. The cost grows
 * with the distances between cells (up to 13.3 sigma), not with their number. */
typedef struct closs_cell_weights_spec {
    int64_t samples;
    closs_extents extents;
    double spacing[3];  /* as in closs_distance_spec */
    int64_t background; /* the label between cells, one that the labels' type can hold */
    int has_ignore_index;
    int64_t ignore_index; /* voxels with this label are no cell, and weigh 0 */
    double amplitude;     /* w_0, 0 .. 2^16; 10 as published */
    double sigma;         /* 2^-40 .. 2^40, in the spacing's unit; 5 as published */
    double background_weight, cell_weight; /* w_c, each 0 .. 2^16 */
    int balanced; /* 1: w_c is multiplied by N / (2 n), n of a sample's N voxels being background, or cells */
    int threads;
    closs_isa isa;
} closs_cell_weights_spec;

/* Bytes of scratch that closs_cell_weights uses; 0 where it would refuse the spec. With L = 32 columns to a block, or
 * 16 where spacings differ or the squares of the extents less 1 sum up to 2^30 or more: 16 for each voxel of one
 * sample; and for each of min(threads, columns / L, rounded up) threads 512 for each of max(planes, rows) lines and, of
 * several planes, for each of their planes * rows rows. Where rows fill their blocks, all threads together have about
 * 512 / L for each voxel at most. */
CLOSS_API size_t closs_cell_weights_scratch_bytes(const closs_cell_weights_spec *spec);

/* Writes map[samples][voxels] from labels[samples][voxels], CLOSS_LABELS_U8 to CLOSS_LABELS_I64, none beyond 32 bits.
 * Labels and map are aligned as their elements are. */
CLOSS_API closs_status closs_cell_weights(const closs_cell_weights_spec *spec, closs_target target, const void *labels,
                                          size_t labels_count, float *map, size_t map_count, void *scratch,
                                          size_t scratch_bytes, closs_error *error);

/* ---------------------------------------------------------------------------------------------- binarization ---- */

/* The loss of differentiable binarization (DBNet, Liao et al. 2020), of a probability map P and a threshold map T:
 *
 *     value = map_weight * main(P; gt, mask) + threshold_weight * L1(T; threshold map, threshold mask)
 *             + binary_weight * Dice(B; gt, mask),          B = 1 / (1 + exp(-k (P - T))),
 *
 * main: balanced binary cross entropy over the batch (closs_balanced_binary_cross_entropy), or a Dice loss over the
 *     batch;
 * L1: sum |T - threshold map| / number of values, over the threshold mask (0 where it is empty), or smooth L1;
 * Dice(X): 1 - 2 sum X gt / (sum X + sum gt + dice_epsilon) over the mask and the whole batch.
 *
 * DB's code has the weights 5, 10, 1, k 50, ratio 3 and both epsilons 1e-6; the paper 1, 10, 1. */
typedef enum closs_binarization_main {
    CLOSS_BINARIZATION_BALANCED = 0,
    CLOSS_BINARIZATION_DICE = 1 /* DB's L1DiceLoss */
} closs_binarization_main;

typedef struct closs_binarization_spec {
    int64_t samples, voxels;     /* each at least 1 */
    closs_activation activation; /* CLOSS_PROBABILITIES, or CLOSS_SIGMOID: P and T are sigmoids of the inputs */
    double map_weight, threshold_weight, binary_weight; /* finite */
    double steepness;                                   /* k, > 0, a normal float */
    closs_binarization_main main;
    double negative_ratio;     /* >= 0 */
    int64_t minimum_negatives; /* >= 0; also where a batch has no text (DB: 0) */
    double balance_epsilon;    /* >= 0 */
    double dice_epsilon;       /* >= 0, of both Dice losses; a denominator of 0 gives a loss of 0 */
    double smooth_l1_beta;     /* >= 0; 0: |T - threshold map|; else smooth L1 with this beta */
    int threads;
    closs_isa isa;
    int64_t fallback_negatives; /* >= 0; where a batch has no text at least so many negatives are taken (MMOCR's
                                 * fallback_negative_num; DB: 0) */
} closs_binarization_spec;

/* Made once, never changed, to be used from any number of threads. */
typedef struct closs_binarization closs_binarization;

CLOSS_API closs_status closs_binarization_create(const closs_binarization_spec *spec, closs_binarization **made,
                                                 closs_error *error);

/* Frees what was made; NULL is let pass. */
CLOSS_API void closs_binarization_destroy(closs_binarization *binarization);

/* Bytes of scratch that closs_binarization_evaluate needs; 0 for NULL. */
CLOSS_API size_t closs_binarization_scratch_bytes(const closs_binarization *binarization);

/* A map of the network's head: sample n begins at values[n * stride]. A stride of 0 stands for `voxels`; the channels
 * of a [samples][channels][voxels] head are maps with the stride channels * voxels. count: elements from `values` on,
 * at least (samples - 1) * stride + voxels. */
typedef struct closs_map {
    const float *values;
    size_t count;
    int64_t stride; /* 0, or at least voxels */
} closs_map;

typedef struct closs_map_gradient {
    float *values;
    size_t count;
    int64_t stride;
} closs_map_gradient;

/* [samples][voxels] each, contiguous, but for the two maps. */
typedef struct closs_binarization_batch {
    closs_map map, threshold;
    closs_target target; /* CLOSS_DENSE_U8 or CLOSS_DENSE_F32, 0 or 1 with a balanced main loss */
    const void *targets;
    size_t targets_count;
    const uint8_t *mask; /* NULL: all are in */
    size_t mask_count;
    const float *threshold_map; /* in [0, 1] */
    size_t threshold_map_count;
    const uint8_t *threshold_mask; /* NULL: all are in */
    size_t threshold_mask_count;
} closs_binarization_batch;

/* The gradients by both inputs; they may be channels of one buffer, but not the inputs' own. */
typedef struct closs_binarization_gradient {
    closs_map_gradient map, threshold;
    closs_write write;
    float scale;
} closs_binarization_gradient;

typedef struct closs_binarization_result {
    double value;
    double main, l1, dice; /* the three parts, without their weights */
} closs_binarization_result;

/* Value, parts and gradients of a whole batch; `gradient` NULL: the value only. A refused call writes nothing; the
 * message begins with the map that is at fault, and an index counts from the map's `values` on. */
CLOSS_API closs_status closs_binarization_evaluate(const closs_binarization *binarization,
                                                   const closs_binarization_batch *batch,
                                                   const closs_binarization_gradient *gradient,
                                                   closs_binarization_result *result, void *scratch,
                                                   size_t scratch_bytes, closs_error *error);

#ifdef __cplusplus
}
#endif

#endif
