/* Terms that measure distances. */
#include "terms.h"

void draw_distance_term(problem *p, random_numbers *r, closs_distance_term *of, closs_term_kind kind) {
    static const double ALPHAS[] = {2, 2, 1, 0.5, 1.5, 3};
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
}
