/* Options that few losses have, added to terms whose others are drawn. */
#include "terms.h"

/* Some classes, the last of them always: without the background one is left. */
static void draw_classes(problem *p, random_numbers *r, uint64_t *classes) {
    const int64_t last = p->spec.shape.classes - 1;
    if (!one_in(r, 3)) return;
    for (int64_t c = 0; c <= last; c++)
        if (c == last || one_in(r, 2)) classes[c / 64] |= UINT64_C(1) << c % 64;
    add_to_name(p, "-some");
}

/* Logits are up to 1024 apart: the power of that must stay below 2^19, weights in it. */
static void add_cross_entropy(random_numbers *r, closs_cross_entropy *of) {
    static const double EXPONENTS[] = {0.25, 0.5, 0.75, 1.25};
    of->exponent = EXPONENTS[below(r, 4)];
    of->label_smoothing = 0;
}

static void add_focal(problem *p, closs_focal *of) {
    if (p->spec.activation != CLOSS_SOFTMAX || of->per_channel) return;
    of->class_gammas = p->class_weights;
    of->class_gammas_count = (size_t)p->spec.shape.classes;
}

static void add_region_weights(problem *p, random_numbers *r, closs_region *of) {
    const int is_pooled = of->scope >= CLOSS_PER_SAMPLE_POOLED;
    if (!one_in(r, 2)) return;
    of->class_weights = p->class_weights;
    of->class_weights_count = (size_t)p->spec.shape.classes;
    of->weighting = is_pooled ? CLOSS_WEIGHTS_INSIDE : (closs_weighting)below(r, 2);
}

static void add_region_exponent(problem *p, random_numbers *r, closs_region *of) {
    if (of->value == CLOSS_MINUS_SCORE) return;
    of->exponent = one_in(r, 2) ? 0.75 : 1.5;
    of->exponent_of = (closs_exponent_of)below(r, 2);
    if (of->scope >= CLOSS_PER_SAMPLE_POOLED || !one_in(r, 2)) return;
    of->class_exponents = p->class_alphas;
    of->class_exponents_count = (size_t)p->spec.shape.classes;
}

static void add_region(problem *p, random_numbers *r, closs_term_kind kind, closs_region *of) {
    const int is_dice = kind == CLOSS_DICE || kind == CLOSS_GENERALIZED_DICE;
    draw_classes(p, r, of->classes);
    add_region_weights(p, r, of);
    add_region_exponent(p, r, of);
    if (is_dice || kind == CLOSS_JACCARD) of->denominator = (closs_denominator)below(r, 2);
    if (kind != CLOSS_MATTHEWS && one_in(r, 2)) of->least_denominator = (double)below(r, 64) * 0.25;
    if (is_dice && one_in(r, 2)) of->least_intersection = (double)below(r, 64) * 0.125;
    if (of->value == CLOSS_MINUS_LOG_SCORE) of->least_score = (double)below(r, 8) * 0x1p-5;
    if (kind != CLOSS_GENERALIZED_DICE) return;
    of->volume_offset = (double)below(r, 4) * 0.5;
    if (one_in(r, 2)) of->most_volume_weight = (double)(1 + below(r, 16)) * 0x1p-6;
}

void add_rare_options(problem *p, random_numbers *r) {
    const int weighted = one_in(r, 2);
    add_to_name(p, " rare");
    for (size_t i = 0; i < p->spec.term_count; i++) {
        closs_term *t = &p->terms[i];
        switch (t->kind) {
        case CLOSS_CROSS_ENTROPY: add_cross_entropy(r, &t->of.cross_entropy); break;
        case CLOSS_FOCAL: add_focal(p, &t->of.focal); break;
        case CLOSS_DICE:
        case CLOSS_JACCARD:
        case CLOSS_TVERSKY:
        case CLOSS_GENERALIZED_DICE:
        case CLOSS_MATTHEWS:
        case CLOSS_LEAKY_DICE:
            add_region(p, r, t->kind, &t->of.region);
            t->of.region.weighted = weighted; /* all or none */
            break;
        case CLOSS_BALANCED_BINARY_CROSS_ENTROPY:
            t->of.balanced_binary_cross_entropy.fallback_negatives = below(r, 100);
            break;
        case CLOSS_BOUNDARY:
        case CLOSS_HAUSDORFF: draw_classes(p, r, t->of.distance.classes); break;
        case CLOSS_LOVASZ_SOFTMAX:
        case CLOSS_LOVASZ_HINGE: draw_classes(p, r, t->of.lovasz.classes); break;
        default: break;
        }
    }
}
