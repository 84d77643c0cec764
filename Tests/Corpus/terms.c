#include "terms.h"

#include <string.h>

closs_divisor draw_divisor(random_numbers *r, double *value) {
    *value = (double)(1 + below(r, 64)) * 0.25;
    return (closs_divisor)below(r, 4);
}

closs_divisor draw_channel_divisor(random_numbers *r, double *value) {
    *value = (double)(1 + below(r, 64)) * 0.25;
    return (closs_divisor)below(r, 5);
}

const float *draw_class_weights(problem *p, random_numbers *r, size_t *count) {
    if (!one_in(r, 3)) return NULL;
    *count = (size_t)p->spec.shape.classes;
    return p->class_weights;
}

static closs_term_kind allowed_kind(closs_term_kind kind, closs_activation activation) {
    if (kind == CLOSS_FOCAL_STAR && activation != CLOSS_SIGMOID) return CLOSS_FOCAL;
    if (kind == CLOSS_LOVASZ_HINGE && activation != CLOSS_SIGMOID) return CLOSS_LOVASZ_SOFTMAX;
    return kind;
}

void draw_term(problem *p, random_numbers *r, closs_term *t, closs_term_kind wanted) {
    closs_term_kind kind = allowed_kind(wanted, p->spec.activation);
    double share = (double)below(r, 9) * 0.125;
    memset(t, 0, sizeof *t);
    t->kind = kind;
    t->weight = (double)(1 + below(r, 16)) * 0.125;
    if (one_in(r, 8)) t->weight = -t->weight;
    switch (kind) {
    case CLOSS_CROSS_ENTROPY: draw_cross_entropy(p, r, &t->of.cross_entropy, share); break;
    case CLOSS_BINARY_CROSS_ENTROPY: draw_binary_cross_entropy(p, r, &t->of.binary_cross_entropy); break;
    case CLOSS_FOCAL: draw_focal(p, r, &t->of.focal, share); break;
    case CLOSS_FOCAL_STAR: draw_focal_star(p, r, &t->of.focal_star, share); break;
    case CLOSS_ABSOLUTE_ERROR:
    case CLOSS_SMOOTH_L1:
    case CLOSS_SQUARED_ERROR: draw_probability_error(p, r, &t->of.probability_error, kind, share); break;
    case CLOSS_LINEAR_MAP: draw_linear_map(p, r, &t->of.linear_map); break;
    case CLOSS_DICE: draw_dice(p, r, &t->of.region, share); break;
    case CLOSS_JACCARD:
    case CLOSS_TVERSKY:
    case CLOSS_GENERALIZED_DICE:
    case CLOSS_MATTHEWS:
    case CLOSS_LEAKY_DICE: draw_region(p, r, &t->of.region, kind, share); break;
    case CLOSS_BALANCED_BINARY_CROSS_ENTROPY:
        draw_balanced_binary_cross_entropy(p, r, &t->of.balanced_binary_cross_entropy);
        break;
    case CLOSS_BALANCED_L1: draw_balanced_l1(p, r, &t->of.balanced_l1); break;
    case CLOSS_TOP_K: draw_top_k(p, r, &t->of.top_k); break;
    case CLOSS_OHEM: draw_ohem(p, r, &t->of.ohem, share); break;
    case CLOSS_BOUNDARY:
    case CLOSS_HAUSDORFF: draw_distance_term(p, r, &t->of.distance, kind); break;
    case CLOSS_LOVASZ_SOFTMAX:
    case CLOSS_LOVASZ_HINGE: draw_lovasz(p, r, &t->of.lovasz, kind); break;
    }
}
