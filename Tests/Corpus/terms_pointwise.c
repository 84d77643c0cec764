#include "terms.h"

void draw_cross_entropy(problem *p, random_numbers *r, closs_cross_entropy *of, double share) {
    of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
    of->label_smoothing = one_in(r, 2) ? share : 0;
    of->divisor = draw_divisor(r, &of->divisor_value);
    add_to_name(p, " ce");
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

void draw_binary_cross_entropy(problem *p, random_numbers *r, closs_binary_cross_entropy *of) {
    of->positive_weights = draw_class_weights(p, r, &of->positive_weights_count);
    of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
    of->divisor = draw_channel_divisor(r, &of->divisor_value);
    add_to_name(p, " bce");
    draw_binary_options(p, r, of);
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

void draw_focal(problem *p, random_numbers *r, closs_focal *of, double share) {
    static const double GAMMAS[] = {0, 0.5, 1, 1.5, 2, 3, 3.75, 5};
    of->gamma = GAMMAS[below(r, 8)];
    of->has_alpha = one_in(r, 2);
    of->alpha = share;
    of->divisor = draw_divisor(r, &of->divisor_value);
    of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
    of->per_channel = p->spec.activation == CLOSS_SOFTMAX && one_in(r, 2);
    add_to_name(p, " focal-%g", of->gamma);
    if (of->per_channel || p->spec.activation != CLOSS_SOFTMAX) draw_focal_options(p, r, of);
}

void draw_focal_star(problem *p, random_numbers *r, closs_focal_star *of, double share) {
    of->gamma = 0.5 + (double)below(r, 8) * 0.5;
    of->shift = (double)(below(r, 17) - 8) * 0.25;
    of->has_alpha = one_in(r, 2);
    of->alpha = share;
    of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
    of->divisor = draw_channel_divisor(r, &of->divisor_value);
    add_to_name(p, " star-%g", of->gamma);
}

void draw_probability_error(problem *p, random_numbers *r, closs_probability_error *of, closs_term_kind kind,
                            double share) {
    of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
    of->beta = share;
    of->divisor = draw_channel_divisor(r, &of->divisor_value);
    add_to_name(p, " error-%d", (int)kind);
}

void draw_linear_map(problem *p, random_numbers *r, closs_linear_map *of) {
    of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
    of->divisor = draw_divisor(r, &of->divisor_value);
    add_to_name(p, " linear");
}
