/* Prints a line for each of a fixed set of problems: its name and a hash of every bit that the library computed for it.
 * Two machines, instruction sets or builds agree where their output is the same text.
 *
 * The problems come from integer random numbers alone, turned into floats by exact operations, so that they are the
 * same everywhere. Each is computed twice, as a whole and in parts; where the two differ the program fails by itself.
 *
 *     corpus [--isa best|generic|avx2|avx512] [--threads n]
 *
 * Ends with 0; with 1 where the library refused or contradicted itself; with 77 where the instruction set is missing.
 */
#include <closs.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TERMS = 4, NOT_AVAILABLE = 77 };

static closs_isa isa = CLOSS_ISA_BEST;
static int threads = 1;
static int failures;

/* ---------------------------------------------------------------------------------------------------- numbers ---- */

typedef struct random_numbers {
    uint64_t state;
} random_numbers;

/* SplitMix64 */
static uint64_t next(random_numbers *r) {
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int64_t below(random_numbers *r, int64_t bound) { return (int64_t)(next(r) % (uint64_t)bound); }

static int one_in(random_numbers *r, int64_t n) { return below(r, n) == 0; }

/* FNV-1a */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* ---------------------------------------------------------------------------------------------------- problem ---- */

typedef struct problem {
    char name[160];
    closs_spec spec;
    closs_term terms[MOST_TERMS];
    float class_weights[CLOSS_MAX_CLASSES], class_alphas[CLOSS_MAX_CLASSES];
    closs_batch batch;
    closs_write write;
    float scale;
    int in_place;
    size_t values, voxels;                  /* of the batch */
    float *logits, *weights, *maps, *start; /* start: what the gradient's memory holds before */
    void *targets;
    uint8_t *mask;
} problem;

static void add_to_name(problem *p, const char *format, ...) {
    size_t used = strlen(p->name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(p->name + used, sizeof p->name - used, format, arguments);
    va_end(arguments);
}

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory) {
        fprintf(stderr, "corpus: out of memory\n");
        exit(1);
    }
    return memory;
}

/* Kinds of logits: a network's; many ties; saturated ones; and every magnitude down to subnormals and both zeros. */
static float draw_logit(random_numbers *r, int kind) {
    switch (kind) {
    case 0: return (float)(below(r, 1 << 20) - (1 << 19)) * 0x1p-16f;
    case 1: return (float)(below(r, 9) - 4) * 0.5f;
    case 2: return (float)(below(r, 1 << 20) - (1 << 19)) * 0x1p-10f;
    default: {
        uint32_t exponent = (uint32_t)below(r, 134), bits = (uint32_t)next(r) & 0x807fffff;
        float value;
        bits |= exponent << 23;
        if (one_in(r, 16)) bits &= 0x80000000;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    }
}

static float draw_probability(random_numbers *r, int kind) {
    if (one_in(r, 16)) return (float)below(r, 2);
    if (kind == 1) return (float)below(r, 9) * 0.125f;
    float value = (float)below(r, 1 << 24) * 0x1p-24f;
    return kind == 3 ? value * 0x1p-110f * 0x1p-20f : value;
}

static void draw_input(problem *p, random_numbers *r) {
    static const char *KINDS[] = {"plain", "ties", "saturated", "magnitudes"};
    int kind = (int)below(r, 4);
    p->logits = allocate(p->values, sizeof *p->logits);
    for (size_t i = 0; i < p->values; i++)
        p->logits[i] = p->spec.activation == CLOSS_PROBABILITIES ? draw_probability(r, kind) : draw_logit(r, kind);
    p->batch.logits = p->logits;
    p->batch.logits_count = p->values;
    add_to_name(p, " %s", KINDS[kind]);
}

static int is_dense(closs_target target) { return target == CLOSS_DENSE_U8 || target == CLOSS_DENSE_F32; }

static size_t target_bytes(closs_target target) {
    static const size_t BYTES[] = {1, 2, 4, 8, 1, 4};
    return BYTES[target - CLOSS_LABELS_U8];
}

static void set_label(void *targets, closs_target target, size_t i, int64_t label) {
    switch (target) {
    case CLOSS_LABELS_U16: ((uint16_t *)targets)[i] = (uint16_t)label; break;
    case CLOSS_LABELS_I32: ((int32_t *)targets)[i] = (int32_t)label; break;
    case CLOSS_LABELS_I64: ((int64_t *)targets)[i] = label; break;
    default: ((uint8_t *)targets)[i] = (uint8_t)label; break;
    }
}

/* Terms that ask the dense targets of a softmax to be distributions. */
static int needs_labels(const problem *p) {
    for (size_t i = 0; i < p->spec.term_count; i++)
        if (p->terms[i].kind == CLOSS_CROSS_ENTROPY || p->terms[i].kind == CLOSS_FOCAL ||
            p->terms[i].kind == CLOSS_TOP_K || p->terms[i].kind == CLOSS_OHEM)
            return p->spec.activation == CLOSS_SOFTMAX;
    return 0;
}

static void draw_targets(problem *p, random_numbers *r, int has_balanced) {
    static const char *NAMES[] = {"u8", "u16", "i32", "i64", "dense-u8", "dense-f32"};
    closs_target target = (closs_target)(CLOSS_LABELS_U8 + below(r, needs_labels(p) ? 4 : 6));
    int64_t classes = p->spec.shape.classes, labels = classes == 1 ? 2 : classes;
    if (target == CLOSS_LABELS_U8 && labels > 255) target = CLOSS_LABELS_U16;
    int may_ignore = p->spec.activation == CLOSS_SOFTMAX ? !is_dense(target) : target != CLOSS_DENSE_F32;
    p->spec.has_ignore_index = may_ignore && one_in(r, 2);
    p->spec.ignore_index = target == CLOSS_LABELS_I32 || target == CLOSS_LABELS_I64 ? -1 - below(r, 100) : 255;
    if (target == CLOSS_LABELS_U16) p->spec.ignore_index = 65535;
    size_t count = is_dense(target) ? p->values : p->voxels;
    p->targets = allocate(count, target_bytes(target));
    for (size_t i = 0; i < count; i++) {
        if (target == CLOSS_DENSE_F32)
            ((float *)p->targets)[i] = has_balanced ? (float)below(r, 2) : draw_probability(r, (int)below(r, 3));
        else if (p->spec.has_ignore_index && one_in(r, 8))
            set_label(p->targets, target, i, p->spec.ignore_index);
        else
            set_label(p->targets, target, i, below(r, is_dense(target) ? 2 : labels));
    }
    p->batch.target = target;
    p->batch.targets = p->targets;
    p->batch.targets_count = count;
    add_to_name(p, " %s%s", NAMES[target - CLOSS_LABELS_U8], p->spec.has_ignore_index ? " ignore" : "");
}

static void draw_mask_and_weights(problem *p, random_numbers *r, int has_balanced) {
    if (one_in(r, 3)) {
        p->mask = allocate(p->voxels, 1);
        for (size_t i = 0; i < p->voxels; i++) p->mask[i] = one_in(r, 4) ? 0 : (uint8_t)(1 + below(r, 255));
        p->batch.mask = p->mask;
        p->batch.mask_count = p->voxels;
        add_to_name(p, " mask");
    }
    if (!has_balanced && one_in(r, 3)) {
        p->weights = allocate(p->voxels, sizeof *p->weights);
        for (size_t i = 0; i < p->voxels; i++) p->weights[i] = one_in(r, 8) ? 0 : (float)below(r, 1 << 12) * 0x1p-9f;
        p->batch.weights = p->weights;
        p->batch.weights_count = p->voxels;
        add_to_name(p, " weights");
    }
}

static void draw_maps(problem *p, random_numbers *r) {
    int wanted = 0;
    for (size_t i = 0; i < p->spec.term_count; i++)
        wanted |= p->terms[i].kind == CLOSS_LINEAR_MAP || p->terms[i].kind == CLOSS_BALANCED_L1;
    if (!wanted) return;
    p->maps = allocate(p->values, sizeof *p->maps);
    for (size_t i = 0; i < p->values; i++) p->maps[i] = (float)(below(r, 1 << 16) - (1 << 15)) * 0x1p-9f;
    p->batch.maps = p->maps;
    p->batch.maps_count = p->values;
}

static void draw_write(problem *p, random_numbers *r) {
    p->in_place = one_in(r, 4);
    p->write = !p->in_place && one_in(r, 3) ? CLOSS_ADD : CLOSS_OVERWRITE;
    p->scale = one_in(r, 3) ? (float)(1 + below(r, 1000)) * 0x1p-6f : 1;
    p->spec.checks = one_in(r, 3) ? CLOSS_CHECK_WHILE_WRITING : CLOSS_CHECK_BEFORE_WRITING;
    p->start = allocate(p->values, sizeof *p->start);
    for (size_t i = 0; i < p->values; i++) p->start[i] = (float)(below(r, 1 << 16) - (1 << 15)) * 0x1p-24f;
    add_to_name(p, "%s%s",
                p->in_place             ? " in-place"
                : p->write == CLOSS_ADD ? " add"
                                        : "",
                p->scale == 1 ? "" : " scaled");
}

/* ------------------------------------------------------------------------------------------------------ terms ---- */

static closs_divisor draw_divisor(random_numbers *r, double *value) {
    *value = (double)(1 + below(r, 64)) * 0.25;
    return (closs_divisor)below(r, 4);
}

static closs_divisor draw_channel_divisor(random_numbers *r, double *value) {
    *value = (double)(1 + below(r, 64)) * 0.25;
    return (closs_divisor)below(r, 5);
}

static const float *draw_class_weights(problem *p, random_numbers *r, size_t *count) {
    if (!one_in(r, 3)) return NULL;
    *count = (size_t)p->spec.shape.classes;
    return p->class_weights;
}

/* What binary cross entropy and a channels' focal loss have of their own. */
static double draw_log_offset(const problem *p, random_numbers *r) {
    return p->spec.activation == CLOSS_PROBABILITIES && one_in(r, 4) ? 0x1p-33 : 0;
}

static void draw_binary_options(problem *p, random_numbers *r, closs_binary_cross_entropy *of) {
    of->per_channel = p->spec.activation == CLOSS_SOFTMAX;
    of->positives_only = one_in(r, 4);
    of->label_smoothing = !of->positives_only && one_in(r, 4) ? 0x1p-4 : 0;
    of->log_offset = draw_log_offset(p, r);
    if (!of->per_channel && one_in(r, 4)) of->weight_form = CLOSS_WEIGHTS_OF_POSITIVES;
    add_to_name(p, "-%d%d%d", of->positives_only, of->log_offset > 0, (int)of->weight_form);
}

static void draw_focal_options(problem *p, random_numbers *r, closs_focal *of) {
    size_t classes = (size_t)p->spec.shape.classes;
    if (one_in(r, 3)) of->class_alphas = p->class_alphas, of->class_alphas_count = classes;
    if (one_in(r, 3)) of->positive_weights = p->class_weights, of->positive_weights_count = classes;
    of->alpha_form = (closs_alpha_form)one_in(r, 3);
    if (one_in(r, 3)) of->reduced_threshold = 0.25 + (double)below(r, 4) * 0.125;
    of->positives_only = one_in(r, 4);
    if (p->spec.activation != CLOSS_PROBABILITIES && !of->positives_only && one_in(r, 3))
        of->modulation = CLOSS_MODULATION_LOGIT;
    of->log_offset = draw_log_offset(p, r);
    of->divisor = draw_channel_divisor(r, &of->divisor_value);
    if (p->spec.activation != CLOSS_SOFTMAX && one_in(r, 4)) of->divisor = CLOSS_DIVIDE_BY_FACTORS;
    add_to_name(p, "-%d%d%d%d%d", of->reduced_threshold > 0, of->positives_only, (int)of->modulation,
                of->log_offset > 0, (int)of->divisor);
}

/* Terms that rank the errors of whole samples or of the whole batch. */
static int is_lovasz(closs_term_kind kind) { return kind == CLOSS_LOVASZ_SOFTMAX || kind == CLOSS_LOVASZ_HINGE; }

static int ranks_whole_batch(const problem *p) {
    for (size_t i = 0; i < p->spec.term_count; i++)
        if (is_lovasz(p->terms[i].kind) && p->terms[i].of.lovasz.scope % 2 == CLOSS_PER_BATCH) return 1;
    return 0;
}

static void draw_term(problem *p, random_numbers *r, closs_term *t, closs_term_kind kind) {
    static const double GAMMAS[] = {0, 0.5, 1, 1.5, 2, 3, 3.75, 5};
    double eighths = (double)below(r, 9) * 0.125;
    memset(t, 0, sizeof *t);
    if (kind == CLOSS_FOCAL_STAR && p->spec.activation != CLOSS_SIGMOID) kind = CLOSS_FOCAL;
    if (kind == CLOSS_LOVASZ_HINGE && p->spec.activation != CLOSS_SIGMOID) kind = CLOSS_LOVASZ_SOFTMAX;
    t->kind = kind;
    t->weight = (double)(1 + below(r, 16)) * 0.125 * (one_in(r, 8) ? -1 : 1);
    switch (kind) {
    case CLOSS_CROSS_ENTROPY: {
        closs_cross_entropy *of = &t->of.cross_entropy;
        of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
        of->label_smoothing = one_in(r, 2) ? eighths : 0;
        of->divisor = draw_divisor(r, &of->divisor_value);
        add_to_name(p, " ce");
        break;
    }
    case CLOSS_BINARY_CROSS_ENTROPY: {
        closs_binary_cross_entropy *of = &t->of.binary_cross_entropy;
        of->positive_weights = draw_class_weights(p, r, &of->positive_weights_count);
        of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
        of->divisor = draw_channel_divisor(r, &of->divisor_value);
        add_to_name(p, " bce");
        draw_binary_options(p, r, of);
        break;
    }
    case CLOSS_FOCAL: {
        closs_focal *of = &t->of.focal;
        of->gamma = GAMMAS[below(r, 8)];
        of->has_alpha = one_in(r, 2);
        of->alpha = eighths;
        of->divisor = draw_divisor(r, &of->divisor_value);
        of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
        of->per_channel = p->spec.activation == CLOSS_SOFTMAX && one_in(r, 2);
        add_to_name(p, " focal-%g", of->gamma);
        if (of->per_channel || p->spec.activation != CLOSS_SOFTMAX) draw_focal_options(p, r, of);
        break;
    }
    case CLOSS_FOCAL_STAR: {
        closs_focal_star *of = &t->of.focal_star;
        of->gamma = 0.5 + (double)below(r, 8) * 0.5;
        of->shift = (double)(below(r, 17) - 8) * 0.25;
        of->has_alpha = one_in(r, 2);
        of->alpha = eighths;
        of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
        of->divisor = draw_channel_divisor(r, &of->divisor_value);
        add_to_name(p, " star-%g", of->gamma);
        break;
    }
    case CLOSS_JACCARD:
    case CLOSS_TVERSKY:
    case CLOSS_GENERALIZED_DICE:
    case CLOSS_MATTHEWS:
    case CLOSS_LEAKY_DICE: {
        closs_region *of = &t->of.region;
        of->smooth_numerator = of->smooth_denominator = 0x1p-10;
        of->scope = kind == CLOSS_GENERALIZED_DICE ? CLOSS_PER_SAMPLE_POOLED : (closs_scope)below(r, 4);
        of->value = (closs_region_value)below(r, 4);
        of->absent = (closs_absent)below(r, 4);
        of->product = (closs_product)below(r, 2);
        of->alpha = eighths;
        of->beta = 1;
        of->smooth_counts = 0x1p-10;
        of->smooth_product = kind == CLOSS_MATTHEWS && of->value == CLOSS_MINUS_SCORE ? 0x1p-5 : 0;
        of->perfect_is_one = of->smooth_product > 0;
        if (kind == CLOSS_GENERALIZED_DICE) of->volume_weighting = (closs_volume_weighting)below(r, 3);
        if (of->value == CLOSS_ONE_MINUS_SCORE && one_in(r, 2)) of->exponent = 0.75;
        add_to_name(p, " region-%d-%d", (int)kind, (int)of->value);
        break;
    }
    case CLOSS_ABSOLUTE_ERROR:
    case CLOSS_SMOOTH_L1:
    case CLOSS_SQUARED_ERROR: {
        closs_probability_error *of = &t->of.probability_error;
        of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
        of->beta = eighths;
        of->divisor = draw_channel_divisor(r, &of->divisor_value);
        add_to_name(p, " error-%d", (int)kind);
        break;
    }
    case CLOSS_BALANCED_L1: {
        closs_balanced_l1 *of = &t->of.balanced_l1;
        of->negative_ratio = (double)below(r, 13) * 0.25;
        of->minimum_negatives = below(r, 20);
        of->scope = (closs_scope)below(r, 2);
        add_to_name(p, " balanced-l1-%s", of->scope ? "batch" : "sample");
        break;
    }
    case CLOSS_LINEAR_MAP: {
        closs_linear_map *of = &t->of.linear_map;
        of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
        of->divisor = draw_divisor(r, &of->divisor_value);
        add_to_name(p, " linear");
        break;
    }
    case CLOSS_DICE: {
        closs_region *of = &t->of.region;
        of->smooth_numerator = one_in(r, 2) ? 0x1p-17 : 0;
        of->smooth_denominator = one_in(r, 2) ? 0x1p-17 : eighths;
        of->denominator = (closs_denominator)below(r, 2);
        of->scope = (closs_scope)below(r, 2);
        of->exclude_background = p->spec.shape.classes > 1 && one_in(r, 3);
        of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
        add_to_name(p, " dice-%s-%s", of->denominator ? "squared" : "linear", of->scope ? "batch" : "sample");
        break;
    }
    case CLOSS_BALANCED_BINARY_CROSS_ENTROPY: {
        closs_balanced_binary_cross_entropy *of = &t->of.balanced_binary_cross_entropy;
        of->negative_ratio = (double)below(r, 13) * 0.25;
        of->minimum_negatives = below(r, 20);
        of->epsilon = one_in(r, 2) ? 0x1p-20 : 0;
        of->scope = (closs_scope)below(r, 2);
        add_to_name(p, " balanced-%s", of->scope ? "batch" : "sample");
        break;
    }
    case CLOSS_TOP_K: {
        closs_top_k *of = &t->of.top_k;
        of->percent = one_in(r, 8) ? 100 : (double)(1 + below(r, 50));
        of->ignored = (closs_ignored)below(r, 2);
        of->scope = (closs_scope)below(r, 2);
        of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
        of->label_smoothing = p->spec.activation == CLOSS_SOFTMAX && one_in(r, 4) ? 0.125 : 0;
        add_to_name(p, " top-%g-%s", of->percent, of->scope ? "batch" : "sample");
        break;
    }
    case CLOSS_BOUNDARY:
    case CLOSS_HAUSDORFF: {
        static const double ALPHAS[] = {2, 2, 1, 0.5, 1.5, 3};
        closs_distance_term *of = &t->of.distance;
        of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
        of->exclude_background = one_in(r, 3);
        of->far = (closs_distance_far)below(r, 2);
        of->divisor = draw_channel_divisor(r, &of->divisor_value);
        of->spacing[1] = one_in(r, 2) ? 0 : (double)(1 + below(r, 8)) * 0.25;
        of->spacing[2] = of->spacing[1] == 0 || one_in(r, 2) ? of->spacing[1] : 1.5;
        if (kind == CLOSS_BOUNDARY) {
            of->inner_boundary = (closs_inner_boundary)below(r, 4);
        } else {
            of->alpha = ALPHAS[below(r, 6)];
            of->prediction = p->spec.shape.classes > 1 ? (closs_prediction)below(r, 2) : CLOSS_PREDICTION_THRESHOLD;
            of->sides = (closs_sides)below(r, 2);
            of->logarithm = one_in(r, 3);
        }
        add_to_name(p, kind == CLOSS_BOUNDARY ? " boundary-%g" : " hausdorff-%g", of->alpha);
        break;
    }
    case CLOSS_OHEM: {
        closs_ohem *of = &t->of.ohem;
        of->threshold = eighths;
        of->minimum_kept = 1 + below(r, 400);
        of->divisor = draw_divisor(r, &of->divisor_value);
        of->scope = (closs_scope)below(r, 2);
        add_to_name(p, " ohem-%g-%s", of->threshold, of->scope ? "batch" : "sample");
        break;
    }
    case CLOSS_LOVASZ_SOFTMAX:
    case CLOSS_LOVASZ_HINGE: {
        closs_lovasz *of = &t->of.lovasz;
        of->scope = (closs_scope)below(r, 4);
        of->present_only = one_in(r, 2);
        of->exclude_background = p->spec.shape.classes > 1 && one_in(r, 3);
        if (of->scope <= CLOSS_PER_BATCH) of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
        add_to_name(p, " lovasz-%d-%d", (int)kind, (int)of->scope);
        break;
    }
    }
}

/* The sets of terms that the corpus covers; 0 ends one. */
static const closs_term_kind SOFTMAX_SETS[][MOST_TERMS] = {
    {CLOSS_CROSS_ENTROPY},
    {CLOSS_DICE},
    {CLOSS_DICE, CLOSS_CROSS_ENTROPY},
    {CLOSS_CROSS_ENTROPY, CLOSS_DICE, CLOSS_DICE, CLOSS_CROSS_ENTROPY},
    {CLOSS_JACCARD, CLOSS_MATTHEWS, CLOSS_LEAKY_DICE},
    {CLOSS_TVERSKY, CLOSS_GENERALIZED_DICE, CLOSS_CROSS_ENTROPY},
    {CLOSS_FOCAL, CLOSS_CROSS_ENTROPY},
    {CLOSS_LINEAR_MAP, CLOSS_DICE, CLOSS_CROSS_ENTROPY},
    {CLOSS_SQUARED_ERROR, CLOSS_SMOOTH_L1, CLOSS_ABSOLUTE_ERROR, CLOSS_LINEAR_MAP},
    {CLOSS_DICE, CLOSS_TOP_K},
    {CLOSS_OHEM, CLOSS_FOCAL},
    {CLOSS_LOVASZ_SOFTMAX},
    {CLOSS_LOVASZ_SOFTMAX, CLOSS_CROSS_ENTROPY, CLOSS_DICE, CLOSS_TOP_K},
    {CLOSS_SQUARED_ERROR, CLOSS_LOVASZ_SOFTMAX},
    {CLOSS_BINARY_CROSS_ENTROPY, CLOSS_DICE, CLOSS_FOCAL},
};
static const closs_term_kind CHANNEL_SETS[][MOST_TERMS] = {
    {CLOSS_BINARY_CROSS_ENTROPY},
    {CLOSS_FOCAL},
    {CLOSS_DICE},
    {CLOSS_BALANCED_BINARY_CROSS_ENTROPY},
    {CLOSS_DICE, CLOSS_BINARY_CROSS_ENTROPY},
    {CLOSS_JACCARD, CLOSS_MATTHEWS, CLOSS_SQUARED_ERROR},
    {CLOSS_TVERSKY, CLOSS_GENERALIZED_DICE, CLOSS_SMOOTH_L1, CLOSS_ABSOLUTE_ERROR},
    {CLOSS_DICE, CLOSS_FOCAL},
    {CLOSS_LINEAR_MAP, CLOSS_FOCAL},
    {CLOSS_FOCAL, CLOSS_BINARY_CROSS_ENTROPY, CLOSS_FOCAL, CLOSS_DICE},
    {CLOSS_BALANCED_BINARY_CROSS_ENTROPY, CLOSS_DICE, CLOSS_FOCAL},
    {CLOSS_TOP_K},
    {CLOSS_OHEM, CLOSS_DICE},
    {CLOSS_BALANCED_L1, CLOSS_FOCAL},
    {CLOSS_LOVASZ_SOFTMAX},
    {CLOSS_DICE, CLOSS_LOVASZ_SOFTMAX, CLOSS_BINARY_CROSS_ENTROPY},
    {CLOSS_LOVASZ_HINGE},
    {CLOSS_LOVASZ_HINGE, CLOSS_BALANCED_L1, CLOSS_SQUARED_ERROR},
    {CLOSS_FOCAL_STAR},
    {CLOSS_SQUARED_ERROR},
    {CLOSS_FOCAL_STAR, CLOSS_BINARY_CROSS_ENTROPY, CLOSS_ABSOLUTE_ERROR, CLOSS_FOCAL},
};

/* Those that measure distances. */
static const closs_term_kind DISTANCE_SETS[][MOST_TERMS] = {
    {CLOSS_BOUNDARY},
    {CLOSS_HAUSDORFF},
    {CLOSS_BOUNDARY, CLOSS_GENERALIZED_DICE},
    {CLOSS_HAUSDORFF, CLOSS_LINEAR_MAP, CLOSS_BOUNDARY, CLOSS_FOCAL},
};

/* Extents with the product of the voxels, in two or three dimensions. */
static closs_extents draw_extents(random_numbers *r, int64_t voxels) {
    closs_extents e = {1, 1, voxels};
    for (int64_t n = 2; n < 128; n++) {
        if (e.columns % n == 0 && one_in(r, 2)) e.rows *= n, e.columns /= n;
        if (e.rows % n == 0 && one_in(r, 6)) e.planes *= n, e.rows /= n;
    }
    return e;
}

static problem *make_problem(uint64_t seed, closs_activation activation, const closs_term_kind *kinds, int64_t samples,
                             int64_t classes, int64_t voxels) {
    static const char *ACTIVATIONS[] = {"softmax", "sigmoid", "probabilities"};
    random_numbers r = {seed * UINT64_C(0x2545f4914f6cdd1d)};
    problem *p = allocate(1, sizeof *p);
    int has_balanced = 0; /* or another term that takes no weights */
    p->spec.shape = (closs_shape){samples, classes, voxels};
    p->spec.activation = activation;
    p->spec.threads = threads;
    p->spec.isa = isa;
    p->spec.terms = p->terms;
    random_numbers of_extents = {seed};
    p->spec.extents = draw_extents(&of_extents, voxels);
    p->spec.per_sample = seed % 3 == 1;
    p->spec.per_class = seed % 4 == 2;
    p->voxels = (size_t)(samples * voxels);
    p->values = p->voxels * (size_t)classes;
    add_to_name(p, "%03" PRIu64 " %s %" PRId64 "x%" PRId64 "x%" PRId64, seed, ACTIVATIONS[activation], samples, classes,
                voxels);
    for (int64_t c = 0; c < classes; c++) p->class_weights[c] = (float)(1 + below(&r, 31)) * 0.125f;
    for (int64_t c = 0; c < classes; c++) p->class_alphas[c] = (float)below(&r, 9) * 0.125f;
    for (; p->spec.term_count < MOST_TERMS && kinds[p->spec.term_count]; p->spec.term_count++) {
        has_balanced |= kinds[p->spec.term_count] == CLOSS_BALANCED_BINARY_CROSS_ENTROPY ||
                        kinds[p->spec.term_count] == CLOSS_OHEM || kinds[p->spec.term_count] == CLOSS_BALANCED_L1 ||
                        is_lovasz(kinds[p->spec.term_count]);
        draw_term(p, &r, &p->terms[p->spec.term_count], kinds[p->spec.term_count]);
    }
    draw_targets(p, &r, has_balanced);
    draw_mask_and_weights(p, &r, has_balanced);
    draw_maps(p, &r);
    draw_input(p, &r);
    draw_write(p, &r);
    return p;
}

static void free_problem(problem *p) {
    free(p->logits);
    free(p->weights);
    free(p->maps);
    free(p->start);
    free(p->targets);
    free(p->mask);
    free(p);
}

/* ---------------------------------------------------------------------------------------------------- outcome ---- */

typedef struct outcome {
    uint64_t value_hash, gradient_hash, map_hash;
} outcome;

static closs_error error;

/* Whether a call went well. A problem of the corpus is never refused. */
static int good(const problem *p, closs_status status) {
    if (status == CLOSS_OK) return 1;
    printf("%s REFUSED: %s\n", p->name, error.message);
    failures++;
    return 0;
}

typedef struct run_memory {
    closs_plan *plan;
    void *scratch;
    size_t scratch_bytes;
    double terms[MOST_TERMS], *per_class, *per_sample;
    closs_result result;
} run_memory;

static uint64_t hash_result(const run_memory *m) {
    uint64_t hash = hash_bytes(UINT64_C(0xcbf29ce484222325), &m->result.value, sizeof m->result.value);
    hash = hash_bytes(hash, m->result.terms, m->result.terms_count * sizeof(double));
    hash = hash_bytes(hash, m->result.per_class, m->result.per_class_count * sizeof(double));
    return hash_bytes(hash, m->per_sample, m->result.per_sample_count * sizeof(double));
}

static int begin(const problem *p, run_memory *m) {
    memset(m, 0, sizeof *m);
    if (!good(p, closs_plan_create(&p->spec, &m->plan, &error))) return 0;
    m->scratch_bytes = closs_scratch_bytes(m->plan);
    m->scratch = allocate(m->scratch_bytes, 1);
    m->result.terms = m->terms;
    m->result.terms_count = p->spec.term_count;
    m->result.per_class_count = p->spec.term_count * (size_t)p->spec.shape.classes;
    m->result.per_class = m->per_class = allocate(m->result.per_class_count, sizeof(double));
    m->result.per_sample_count = p->spec.per_sample ? p->spec.term_count * (size_t)p->spec.shape.samples : 0;
    m->per_sample = allocate(m->result.per_sample_count, sizeof(double));
    if (p->spec.per_sample) m->result.per_sample = m->per_sample;
    return 1;
}

static void end(run_memory *m) {
    closs_plan_destroy(m->plan);
    free(m->scratch);
    free(m->per_class);
    free(m->per_sample);
}

static uint64_t hash_gradient(const problem *p, const float *gradient) {
    return hash_bytes(UINT64_C(0xcbf29ce484222325), gradient, p->values * sizeof *gradient);
}

/* How many losses a map of all the problem's voxels holds; 0: no term has one. */
static size_t map_count(const problem *p) {
    for (size_t i = 0; i < p->spec.term_count; i++) {
        closs_term_kind kind = p->terms[i].kind;
        int pointwise = kind == CLOSS_CROSS_ENTROPY || kind == CLOSS_BINARY_CROSS_ENTROPY || kind == CLOSS_FOCAL ||
                        (kind >= CLOSS_ABSOLUTE_ERROR && kind <= CLOSS_HAUSDORFF);
        if (pointwise) return p->spec.activation == CLOSS_SOFTMAX ? p->voxels : p->values;
    }
    return 0;
}

static uint64_t hash_map(const problem *p, const float *map) {
    return hash_bytes(UINT64_C(0xcbf29ce484222325), map, map_count(p) * sizeof *map);
}

static int run_whole(const problem *p, outcome *out) {
    run_memory m;
    if (!begin(p, &m)) return 0;
    float *gradient = allocate(p->values, sizeof *gradient);
    memcpy(gradient, p->in_place ? p->logits : p->start, p->values * sizeof *gradient);
    closs_batch batch = p->batch;
    if (p->in_place) batch.logits = gradient;
    closs_gradient_buffer buffer = {.values = gradient, .count = p->values, .write = p->write, .scale = p->scale};
    int ok = good(p, closs_evaluate(m.plan, &batch, &buffer, &m.result, m.scratch, m.scratch_bytes, &error));
    size_t count = map_count(p);
    float *map = allocate(count, sizeof *map);
    if (ok && count)
        ok =
            good(p, closs_loss_map(m.plan, &p->batch, CLOSS_ALL_TERMS, map, count, m.scratch, m.scratch_bytes, &error));
    if (ok) *out = (outcome){hash_result(&m), hash_gradient(p, gradient), hash_map(p, map)};
    free(map);
    free(gradient);
    end(&m);
    return ok;
}

/* A part's own copy of the batch's memory; rows are [samples][classes or 1]. */
typedef struct cut {
    closs_batch batch;
    void *memory[5];
} cut;

static void copy_rows(char *part, const char *whole, int64_t rows_per_sample, size_t size, const problem *p,
                      const closs_batch *b, int back) {
    size_t row = (size_t)b->voxel_count * size;
    for (int64_t i = 0; i < b->sample_count * rows_per_sample; i++) {
        int64_t at = (b->first_sample * rows_per_sample + i) * p->spec.shape.voxels + b->first_voxel;
        if (back)
            memcpy((char *)whole + (size_t)at * size, part + (size_t)i * row, row);
        else
            memcpy(part + (size_t)i * row, whole + (size_t)at * size, row);
    }
}

static void *cut_rows(const void *whole, int64_t rows_per_sample, size_t size, const problem *p, const closs_batch *b,
                      size_t *count) {
    if (!whole) return NULL;
    *count = (size_t)(b->sample_count * rows_per_sample * b->voxel_count);
    void *part = allocate(*count, size);
    copy_rows(part, whole, rows_per_sample, size, p, b, 0);
    return part;
}

static cut make_cut(const problem *p, int64_t first_sample, int64_t sample_count, int64_t first_voxel,
                    int64_t voxel_count) {
    cut c = {.batch = {.target = p->batch.target,
                       .first_sample = first_sample,
                       .sample_count = sample_count,
                       .first_voxel = first_voxel,
                       .voxel_count = voxel_count}};
    closs_batch *b = &c.batch;
    int64_t classes = p->spec.shape.classes;
    b->logits = c.memory[0] = cut_rows(p->logits, classes, sizeof(float), p, b, &b->logits_count);
    b->targets = c.memory[1] =
        cut_rows(p->targets, is_dense(b->target) ? classes : 1, target_bytes(b->target), p, b, &b->targets_count);
    b->mask = c.memory[2] = cut_rows(p->mask, 1, 1, p, b, &b->mask_count);
    b->weights = c.memory[3] = cut_rows(p->weights, 1, sizeof(float), p, b, &b->weights_count);
    b->maps = c.memory[4] = cut_rows(p->maps, classes, sizeof(float), p, b, &b->maps_count);
    return c;
}

static void free_cut(cut *c) {
    for (int i = 0; i < 5; i++) free(c->memory[i]);
}

enum { MOST_CUTS = 64 };

/* Last part first, so that the order is not that of the whole. */
static int make_cuts(const problem *p, cut *cuts) {
    int selects = 0, count = 0;
    for (size_t i = 0; i < p->spec.term_count; i++) {
        closs_term_kind kind = p->terms[i].kind;
        selects |= kind == CLOSS_BALANCED_BINARY_CROSS_ENTROPY || kind == CLOSS_TOP_K || kind == CLOSS_OHEM ||
                   kind == CLOSS_BALANCED_L1 || kind == CLOSS_BOUNDARY || kind == CLOSS_HAUSDORFF || is_lovasz(kind);
    }
    if (ranks_whole_batch(p)) {
        cuts[0] = make_cut(p, 0, p->spec.shape.samples, 0, p->spec.shape.voxels);
        return 1;
    }
    int64_t voxels = p->spec.shape.voxels, step = selects || voxels <= 64 ? voxels : (voxels / 3 + 63) / 64 * 64;
    int64_t starts = (voxels + step - 1) / step;
    for (int64_t s = p->spec.shape.samples - 1; s >= 0; s--)
        for (int64_t i = starts - 1; i >= 0 && count < MOST_CUTS; i--) {
            int64_t first = i * step, length = first + step > voxels ? voxels - first : step;
            cuts[count++] = make_cut(p, s, 1, first, length);
        }
    return count;
}

static int accumulate_cuts(const problem *p, run_memory *m, const cut *cuts, int count, int64_t *totals) {
    size_t words = closs_totals_count(m->plan);
    for (int stage = 0; stage < closs_stage_count(m->plan); stage++) {
        int64_t *other = allocate(words, sizeof *other);
        memcpy(other, totals, words * sizeof *other);
        size_t first, stage_words;
        closs_stage_words(m->plan, stage, &first, &stage_words);
        memset(other + first, 0, stage_words * sizeof *other);
        /* Every second part goes through totals of its own, as on another rank. */
        int ok = 1;
        for (int i = 0; ok && i < count; i++)
            ok = good(p, closs_accumulate(m->plan, stage, &cuts[i].batch, i % 2 ? other : totals, words, m->scratch,
                                          m->scratch_bytes, &error));
        ok = ok && good(p, closs_merge(m->plan, stage, totals, words, other, words, &error));
        free(other);
        if (!ok) return 0;
    }
    return 1;
}

static int gradient_of_cut(const problem *p, run_memory *m, const cut *c, const int64_t *coefficients,
                           float *gradient) {
    size_t count = c->batch.logits_count, words = closs_coefficients_count(m->plan);
    int64_t classes = p->spec.shape.classes;
    closs_gradient_buffer buffer = {.values = c->memory[0], .count = count, .write = p->write, .scale = p->scale};
    float *own = NULL;
    if (!p->in_place) {
        buffer.values = own = allocate(count, sizeof *own);
        copy_rows((char *)own, (const char *)gradient, classes, sizeof *own, p, &c->batch, 0);
    }
    int ok =
        good(p, closs_gradient(m->plan, coefficients, words, &c->batch, &buffer, m->scratch, m->scratch_bytes, &error));
    if (ok) copy_rows((char *)buffer.values, (const char *)gradient, classes, sizeof *gradient, p, &c->batch, 1);
    free(own);
    return ok;
}

static int map_of_cut(const problem *p, run_memory *m, const cut *c, float *map) {
    if (!map_count(p)) return 1;
    int64_t rows = p->spec.activation == CLOSS_SOFTMAX ? 1 : p->spec.shape.classes;
    size_t count = (size_t)(c->batch.sample_count * rows * c->batch.voxel_count);
    float *own = allocate(count, sizeof *own);
    int ok =
        good(p, closs_loss_map(m->plan, &c->batch, CLOSS_ALL_TERMS, own, count, m->scratch, m->scratch_bytes, &error));
    if (ok) copy_rows((char *)own, (const char *)map, rows, sizeof *own, p, &c->batch, 1);
    free(own);
    return ok;
}

static int run_in_parts(const problem *p, outcome *out) {
    run_memory m;
    if (!begin(p, &m)) return 0;
    cut cuts[MOST_CUTS];
    int count = make_cuts(p, cuts);
    int64_t *totals = allocate(closs_totals_count(m.plan), sizeof *totals);
    int64_t *coefficients = allocate(closs_coefficients_count(m.plan), sizeof *coefficients);
    float *gradient = allocate(p->values, sizeof *gradient);
    memcpy(gradient, p->start, p->values * sizeof *gradient);
    int ok = accumulate_cuts(p, &m, cuts, count, totals) &&
             good(p, closs_finish(m.plan, totals, closs_totals_count(m.plan), &m.result, coefficients,
                                  closs_coefficients_count(m.plan), &error));
    float *map = allocate(map_count(p), sizeof *map);
    for (int i = 0; ok && i < count; i++) ok = map_of_cut(p, &m, &cuts[i], map);
    /* After the maps: a gradient may take its logits' place. */
    for (int i = 0; ok && i < count; i++) ok = gradient_of_cut(p, &m, &cuts[i], coefficients, gradient);
    if (ok) *out = (outcome){hash_result(&m), hash_gradient(p, gradient), hash_map(p, map)};
    free(map);
    for (int i = 0; i < count; i++) free_cut(&cuts[i]);
    free(totals);
    free(coefficients);
    free(gradient);
    end(&m);
    return ok;
}

static void run(problem *p) {
    outcome whole, parts;
    if (run_whole(p, &whole)) {
        printf("%s: %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n", p->name, whole.value_hash, whole.gradient_hash,
               whole.map_hash);
        if (run_in_parts(p, &parts) &&
            (parts.value_hash != whole.value_hash || parts.gradient_hash != whole.gradient_hash ||
             parts.map_hash != whole.map_hash)) {
            printf("%s IN PARTS DIFFERS: %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n", p->name, parts.value_hash,
                   parts.gradient_hash, parts.map_hash);
            failures++;
        }
    }
    free_problem(p);
}

/* ---------------------------------------------------------------------------------------------------- metrics ---- */

static void fail(const char *name, const closs_error *error) {
    printf("%s REFUSED: %s\n", name, error->message);
    failures++;
}

/* Labels in stretches, some of them ignored, and some masked. */
static void make_truth(random_numbers *r, size_t voxels, int64_t classes, uint8_t *labels, uint8_t *mask) {
    for (size_t i = 0; i < voxels;) {
        uint8_t label = one_in(r, 9) ? 255 : (uint8_t)below(r, classes);
        for (int64_t length = 1 + below(r, 40); length > 0 && i < voxels; length--, i++) {
            labels[i] = label;
            mask[i] = !one_in(r, 11);
        }
    }
}

static uint64_t confusion_hash(const closs_confusion_spec *spec, const closs_metric_batch *batch, const char *name) {
    const size_t classes = (size_t)spec->shape.classes, cells = (size_t)spec->shape.samples * classes * classes;
    const size_t bytes = closs_confusion_scratch_bytes(spec);
    int64_t *matrix = allocate(cells, sizeof *matrix);
    void *scratch = allocate(bytes, 1);
    closs_error error;
    uint64_t hash = 0;
    if (closs_confusion(spec, batch, matrix, cells, scratch, bytes, &error))
        fail(name, &error);
    else
        hash = hash_bytes(1, matrix, cells * sizeof *matrix);
    free(matrix);
    free(scratch);
    return hash;
}

static uint64_t threshold_hash(const closs_threshold_spec *spec, const closs_metric_batch *batch, const char *name) {
    const size_t count = (size_t)spec->shape.samples * (size_t)spec->shape.classes * (size_t)spec->threshold_count;
    const size_t bytes = closs_threshold_scratch_bytes(spec);
    closs_counts *counts = allocate(count, sizeof *counts);
    void *scratch = allocate(bytes, 1);
    closs_error error;
    uint64_t hash = 0;
    if (closs_threshold_counts(spec, batch, counts, count, scratch, bytes, &error)) {
        fail(name, &error);
    } else {
        closs_score_spec of = {.samples = spec->shape.samples,
                               .classes = spec->shape.classes,
                               .thresholds = spec->threshold_count,
                               .kind = CLOSS_SCORE_IOU,
                               .empty = CLOSS_EMPTY_ONE};
        double *values = allocate((size_t)spec->threshold_count, sizeof *values), mean = 0;
        if (closs_scores(&of, counts, count, values, (size_t)spec->threshold_count, &mean, &error)) fail(name, &error);
        hash = hash_bytes(hash_bytes(1, counts, count * sizeof *counts), &mean, sizeof mean);
        free(values);
    }
    free(counts);
    free(scratch);
    return hash;
}

static uint64_t surface_hash(const closs_surface_spec *spec, const closs_metric_batch *batch, const char *name) {
    const size_t count = (size_t)spec->samples * (size_t)spec->class_count, bytes = closs_surface_scratch_bytes(spec);
    closs_surface_distances *distances = allocate(count, sizeof *distances);
    void *scratch = allocate(bytes, 1);
    closs_error error;
    uint64_t hash = 0;
    if (closs_surface(spec, batch, distances, count, scratch, bytes, &error))
        fail(name, &error);
    else
        hash = hash_bytes(1, distances, count * sizeof *distances);
    free(distances);
    free(scratch);
    return hash;
}

static void run_metrics(uint64_t seed, int64_t classes, closs_extents extents) {
    random_numbers r = {seed};
    const int64_t voxels = extents.planes * extents.rows * extents.columns, samples = 2;
    const size_t all = (size_t)(samples * voxels), values = all * (size_t)classes;
    uint8_t *labels = allocate(all, 1), *predicted = allocate(all, 1), *mask = allocate(all, 1);
    float *logits = allocate(values, sizeof *logits);
    const float thresholds[11] = {0.03125f, 0.125f,  0.25f, 0.375f, 0.5f,    0.5625f,
                                  0.625f,   0.6875f, 0.75f, 0.875f, 0.96875f};
    char name[160];
    snprintf(name, sizeof name, "metrics %" PRIu64 " classes %" PRId64 " voxels %" PRId64, seed, classes, voxels);
    make_truth(&r, all, classes, labels, mask);
    for (size_t i = 0; i < all; i++)
        predicted[i] = one_in(&r, 6) || labels[i] == 255 ? (uint8_t)below(&r, classes) : labels[i];
    for (size_t i = 0; i < values; i++) logits[i] = (float)(below(&r, 4096) - 2048) * 0x1p-8f;
    closs_metric_batch of_labels = {.predictions = predicted,
                                    .predicted = CLOSS_LABELS_U8,
                                    .target = CLOSS_LABELS_U8,
                                    .predictions_count = all,
                                    .targets = labels,
                                    .targets_count = all,
                                    .mask = mask,
                                    .mask_count = all};
    closs_metric_batch of_logits = of_labels;
    of_logits.predictions = logits;
    of_logits.predictions_count = values;
    closs_confusion_spec confusion = {.shape = {samples, classes, voxels},
                                      .has_ignore_index = 1,
                                      .ignore_index = 255,
                                      .threads = threads,
                                      .isa = isa};
    closs_threshold_spec threshold = {.shape = {samples, classes, voxels},
                                      .activation = CLOSS_SIGMOID,
                                      .thresholds = thresholds,
                                      .threshold_count = 11,
                                      .has_ignore_index = 1,
                                      .ignore_index = 255,
                                      .threads = threads,
                                      .isa = isa};
    closs_surface_spec surface = {.samples = samples,
                                  .extents = extents,
                                  .spacing = {2.5, 0, seed % 2 ? 0.75 : 0},
                                  .class_count = (int)classes,
                                  .percentile = 95,
                                  .absent = CLOSS_SURFACE_DIAGONAL,
                                  .has_ignore_index = 1,
                                  .ignore_index = 255,
                                  .threads = threads,
                                  .isa = isa};
    uint64_t counts = confusion_hash(&confusion, &of_labels, name);
    confusion.prediction = CLOSS_PREDICTED_LOGITS;
    counts ^= 3 * confusion_hash(&confusion, &of_logits, name);
    printf("%s: %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n", name, counts,
           threshold_hash(&threshold, &of_logits, name), surface_hash(&surface, &of_labels, name));
    free(labels);
    free(predicted);
    free(mask);
    free(logits);
}

static void run_all_metrics(void) {
    static const closs_extents EXTENTS[] = {{1, 1, 1}, {1, 1, 17},  {1, 5, 13},   {1, 8, 8},    {1, 63, 65},
                                            {3, 5, 7}, {4, 16, 16}, {1, 129, 40}, {11, 23, 31}, {1, 200, 211}};
    static const int64_t CLASSES[] = {2, 3, 4, 5, 19, 41};
    uint64_t seed = 0;
    for (size_t e = 0; e < sizeof EXTENTS / sizeof *EXTENTS; e++)
        for (size_t c = 0; c < sizeof CLASSES / sizeof *CLASSES; c++, seed++) run_metrics(seed, CLASSES[c], EXTENTS[e]);
}

/* ---------------------------------------------------------------------------------------------- distance maps ---- */

/* One map of each form, of labels in areas. */
static void run_distances(uint64_t seed, closs_extents e, const double *spacing) {
    random_numbers r = {seed * UINT64_C(0x2545f4914f6cdd1d)};
    const size_t voxels = (size_t)(e.planes * e.rows * e.columns), samples = 2, classes = 3;
    const closs_target target = (closs_target)(CLOSS_LABELS_U8 + below(&r, 4));
    void *labels = allocate(samples * voxels, target_bytes(target));
    for (size_t i = 0, left = 0, label = 0; i < samples * voxels; i++, left--) {
        if (left == 0) left = (size_t)(1 + below(&r, 40)), label = (size_t)below(&r, 4);
        set_label(labels, target, i, (int64_t)label);
    }
    for (int form = CLOSS_DISTANCE_UNSIGNED; form <= CLOSS_DISTANCE_SIGNED; form++)
        for (int type = CLOSS_DISTANCE_FLOAT32; type <= CLOSS_DISTANCE_INT16; type++) {
            closs_distance_spec spec = {.samples = (int64_t)samples,
                                        .extents = e,
                                        .spacing = {spacing[0], spacing[1], spacing[2]},
                                        .class_count = (int)classes,
                                        .form = (closs_distance_form)form,
                                        .far = (closs_distance_far)below(&r, 3),
                                        .type = (closs_distance_type)type,
                                        .threads = threads,
                                        .isa = isa};
            if (form == CLOSS_DISTANCE_SIGNED) spec.boundary = (closs_inner_boundary)below(&r, 4);
            if (type == CLOSS_DISTANCE_INT16) spec.scale = 0.125;
            // Squares in a unit in which a half can hold them; a spacing of 0 stands for 1.
            for (int a = 0; type == CLOSS_DISTANCE_FLOAT16 && form == CLOSS_DISTANCE_SQUARED && a < 3; a++)
                spec.spacing[a] = (spacing[a] == 0 ? 1 : spacing[a]) / 64;
            const size_t values = samples * classes * voxels, size = type == CLOSS_DISTANCE_FLOAT32 ? 4 : 2;
            size_t bytes = closs_distance_scratch_bytes(&spec);
            void *map = allocate(values, size), *scratch = allocate(bytes, 1);
            if (closs_distance_map(&spec, target, labels, samples * voxels, map, values, scratch, bytes, &error)) {
                printf("distances %" PRIu64 " REFUSED: %s\n", seed, error.message);
                failures++;
            }
            printf("distances %" PRIu64 " %" PRId64 "x%" PRId64 "x%" PRId64 " form %d type %d: %016" PRIx64 "\n", seed,
                   e.planes, e.rows, e.columns, form, type,
                   hash_bytes(UINT64_C(0xcbf29ce484222325), map, values * size));
            free(scratch);
            free(map);
        }
    free(labels);
}

static void run_all_distances(void) {
    static const closs_extents EXTENTS[] = {{1, 1, 1},   {1, 1, 77},  {1, 65, 1},  {1, 33, 47},
                                            {1, 64, 64}, {5, 17, 31}, {19, 1, 23}, {1, 200, 301}};
    static const double SPACINGS[][3] = {{0, 0, 0}, {2, 2, 2}, {2.5, 0.75, 1}};
    uint64_t seed = 0;
    for (size_t s = 0; s < sizeof SPACINGS / sizeof *SPACINGS; s++)
        for (size_t i = 0; i < sizeof EXTENTS / sizeof *EXTENTS; i++) run_distances(++seed, EXTENTS[i], SPACINGS[s]);
}

/* ------------------------------------------------------------------------------------------------ weight maps ---- */

/* Patches of a few labels. */
static void draw_patches(random_numbers *r, uint16_t *labels, int64_t lines, int64_t columns, int64_t most) {
    for (int64_t k = below(r, 12); k > 0; k--) {
        int64_t label = below(r, most), first = below(r, lines), left = below(r, columns);
        for (int64_t y = first; y < lines && y < first + 9; y++)
            for (int64_t x = left; x < columns && x < left + 40; x++) labels[y * columns + x] = (uint16_t)label;
    }
}

static void print_map(const char *name, uint64_t seed, closs_status status, const float *map, size_t count) {
    if (status != CLOSS_OK) {
        printf("%s %d REFUSED: %s\n", name, (int)seed, error.message);
        failures++;
        return;
    }
    printf("%s %d: %016" PRIx64 "\n", name, (int)seed,
           hash_bytes(UINT64_C(0xcbf29ce484222325), map, count * sizeof *map));
}

static void run_box_weights(uint64_t seed, random_numbers *r, closs_extents extents, const uint16_t *labels, float *map,
                            size_t count) {
    static const int64_t CLASSES[] = {2, 1};
    int64_t draws[7];
    static const int64_t MOST[] = {4, 12, 60, 2, 2, 2, 3};
    for (int i = 0; i < 7; i++) draws[i] = below(r, MOST[i]);
    closs_box_weights_spec spec = {.samples = 2,
                                   .extents = extents,
                                   .window = {1 + draws[0], 1 + draws[1], 1 + draws[2]},
                                   .classes = CLASSES,
                                   .class_count = 1 + (int)draws[3],
                                   .form = (closs_box_form)draws[4],
                                   .padding = (closs_box_padding)draws[5],
                                   .mean = (closs_weights_mean)draws[6],
                                   .amplitude = 2,
                                   .threads = threads,
                                   .isa = isa};
    if (spec.form == CLOSS_BOX_BOUNDARY) spec.steepness = 5;
    if (spec.form == CLOSS_BOX_BORDER) {
        spec.lower = 0.005;
        spec.upper = 0.995;
    }
    size_t bytes = closs_box_weights_scratch_bytes(&spec);
    void *scratch = allocate(bytes, 1);
    closs_status status = closs_box_weights(&spec, CLOSS_LABELS_U16, labels, count, map, count, scratch, bytes, &error);
    print_map("box-weights", seed, status, map, count);
    free(scratch);
}

static void run_cell_weights(uint64_t seed, random_numbers *r, closs_extents extents, const uint16_t *labels,
                             float *map, size_t count) {
    static const double SIGMAS[] = {0.5, 3, 5, 60};
    int64_t draws[4];
    for (int i = 0; i < 4; i++) draws[i] = below(r, i == 2 ? 4 : 2);
    closs_cell_weights_spec spec = {.samples = 2,
                                    .extents = extents,
                                    .spacing = {draws[0] ? 2.5 : 1, 1, 1},
                                    .has_ignore_index = (int)draws[1],
                                    .ignore_index = 3,
                                    .amplitude = 10,
                                    .sigma = SIGMAS[draws[2]],
                                    .background_weight = 1,
                                    .cell_weight = 2,
                                    .balanced = (int)draws[3],
                                    .threads = threads,
                                    .isa = isa};
    size_t bytes = closs_cell_weights_scratch_bytes(&spec);
    void *scratch = allocate(bytes, 1);
    closs_status status =
        closs_cell_weights(&spec, CLOSS_LABELS_U16, labels, count, map, count, scratch, bytes, &error);
    print_map("cell-weights", seed, status, map, count);
    free(scratch);
}

static void run_class_weights(uint64_t seed, random_numbers *r, const uint16_t *labels, float *map, size_t count) {
    enum { CLASSES = 9 };
    int64_t counts[2 * CLASSES] = {0};
    float weights[CLASSES];
    int64_t draws[4];
    for (int i = 0; i < 4; i++) draws[i] = below(r, i == 0 ? 2 : i == 1 ? 6 : 3);
    closs_class_counts_spec spec = {.samples = 2,
                                    .voxels = (int64_t)count / 2,
                                    .class_count = CLASSES,
                                    .has_ignore_index = (int)draws[0],
                                    .ignore_index = 4,
                                    .threads = threads,
                                    .isa = isa};
    closs_class_weights_spec frequencies = {.class_count = CLASSES,
                                            .weighting = (closs_class_weighting)draws[1],
                                            .absent = (closs_absent_weight)draws[2],
                                            .norm = (closs_weights_norm)draws[3]};
    if (frequencies.weighting == CLOSS_WEIGHTING_LOGARITHMIC) frequencies.parameter = 1.02;
    if (frequencies.weighting == CLOSS_WEIGHTING_EFFECTIVE) frequencies.parameter = 0.99;
    closs_status status = closs_class_counts(&spec, CLOSS_LABELS_U16, labels, count, counts, 2 * CLASSES, &error);
    if (status == CLOSS_OK) status = closs_class_weights(&frequencies, counts, 2 * CLASSES, weights, CLASSES, &error);
    if (status == CLOSS_OK)
        status = closs_class_weight_map(&spec, CLOSS_LABELS_U16, labels, count, weights, CLASSES, map, count, &error);
    print_map("class-weights", seed, status, map, count);
}

static void run_weight_maps(void) {
    for (uint64_t seed = 0; seed < 60; seed++) {
        random_numbers r = {seed + 1000};
        int64_t planes = one_in(&r, 3) ? 1 + below(&r, 6) : 1, rows = 1 + below(&r, 40), columns = 1 + below(&r, 200);
        closs_extents extents = {planes, rows, columns};
        int64_t lines = 2 * extents.planes * extents.rows;
        size_t count = (size_t)(lines * extents.columns);
        uint16_t *labels = allocate(count, sizeof *labels);
        float *map = allocate(count, sizeof *map);
        draw_patches(&r, labels, lines, extents.columns, 9);
        run_box_weights(seed, &r, extents, labels, map, count);
        run_cell_weights(seed, &r, extents, labels, map, count);
        run_class_weights(seed, &r, labels, map, count);
        free(labels);
        free(map);
    }
}

/* ----------------------------------------------------------------------------------------------------- corpus ---- */

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void run_corpus(void) {
    /* Around the vector, the block of 64 and the run of a kernel. */
    static const int64_t VOXELS[] = {1, 15, 16, 17, 63, 64, 65, 127, 129, 333, 1024, 4099, 20011};
    static const int64_t CLASSES[] = {2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 33, 105, 512};
    static const int64_t CHANNELS[] = {1, 2, 3, 5};
    enum { ROUNDS = 3 };
    uint64_t seed = 0;
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t v = 0; v < COUNT(VOXELS); v++) {
            for (size_t s = 0; s < COUNT(SOFTMAX_SETS); s++, seed++)
                run(make_problem(seed, CLOSS_SOFTMAX, SOFTMAX_SETS[s], 1 + (int64_t)(seed % 3),
                                 CLASSES[(v + 3 * s + round) % 5], VOXELS[v]));
            for (int activation = CLOSS_SIGMOID; activation <= CLOSS_PROBABILITIES; activation++)
                for (size_t s = 0; s < COUNT(CHANNEL_SETS); s++, seed++)
                    run(make_problem(seed, (closs_activation)activation, CHANNEL_SETS[s], 1 + (int64_t)(seed % 3),
                                     CHANNELS[(v + s + round) % COUNT(CHANNELS)], VOXELS[v]));
        }
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t c = 0; c < COUNT(CLASSES); c++)
            for (size_t s = 0; s < COUNT(SOFTMAX_SETS); s++, seed++)
                run(make_problem(seed, CLOSS_SOFTMAX, SOFTMAX_SETS[s], 2, CLASSES[c], 149));
    /* Large enough for several threads. */
    for (size_t s = 0; s < COUNT(SOFTMAX_SETS); s++, seed++)
        run(make_problem(seed, CLOSS_SOFTMAX, SOFTMAX_SETS[s], 2, 4, 40013));
    for (size_t s = 0; s < COUNT(CHANNEL_SETS); s++, seed++)
        run(make_problem(seed, CLOSS_SIGMOID, CHANNEL_SETS[s], 2, 1, 90001));
    for (size_t round = 0; round < 2 * ROUNDS; round++)
        for (size_t v = 0; v < COUNT(VOXELS); v++)
            for (int activation = CLOSS_SOFTMAX; activation <= CLOSS_PROBABILITIES; activation++)
                for (size_t s = 0; s < COUNT(DISTANCE_SETS); s++, seed++)
                    run(make_problem(seed, (closs_activation)activation, DISTANCE_SETS[s], 1 + (int64_t)(seed % 3),
                                     activation == CLOSS_SOFTMAX ? CLASSES[(v + s + round) % 5]
                                                                 : CHANNELS[(v + s + round) % COUNT(CHANNELS)],
                                     VOXELS[v]));
    run_weight_maps();
}

static int usage(void) {
    fprintf(stderr, "usage: corpus [--isa best|generic|avx2|avx512] [--threads n]\n");
    return 2;
}

int main(int count, char **arguments) {
    static const char *NAMES[] = {"best", "generic", "avx2", "avx512"};
    for (int i = 1; i < count; i += 2) {
        if (i + 1 == count) return usage();
        if (strcmp(arguments[i], "--threads") == 0) {
            threads = atoi(arguments[i + 1]);
        } else if (strcmp(arguments[i], "--isa") == 0) {
            size_t found = 0;
            while (found < COUNT(NAMES) && strcmp(NAMES[found], arguments[i + 1])) found++;
            if (found == COUNT(NAMES)) return usage();
            isa = (closs_isa)found;
        } else {
            return usage();
        }
    }
    if (!closs_isa_available(isa)) return NOT_AVAILABLE;
    run_corpus();
    run_all_metrics();
    run_all_distances();
    fprintf(stderr, "corpus: %d failures\n", failures);
    return failures > 0;
}
