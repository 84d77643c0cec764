#include "terms.h"

void draw_dice(problem *p, random_numbers *r, closs_region *of, double share) {
    of->smooth_numerator = one_in(r, 2) ? 0x1p-17 : 0;
    of->smooth_denominator = one_in(r, 2) ? 0x1p-17 : share;
    of->denominator = (closs_denominator)below(r, 2);
    of->scope = (closs_scope)below(r, 2);
    of->exclude_background = p->spec.shape.classes > 1 && one_in(r, 3);
    of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
    add_to_name(p, " dice-%s-%s", of->denominator ? "squared" : "linear", of->scope ? "batch" : "sample");
}

void draw_region(problem *p, random_numbers *r, closs_region *of, closs_term_kind kind, double share) {
    of->smooth_numerator = of->smooth_denominator = 0x1p-10;
    of->scope = kind == CLOSS_GENERALIZED_DICE ? CLOSS_PER_SAMPLE_POOLED : (closs_scope)below(r, 4);
    of->value = (closs_region_value)below(r, 4);
    of->absent = (closs_absent)below(r, 4);
    of->product = (closs_product)below(r, 2);
    of->alpha = share;
    of->beta = 1;
    of->smooth_counts = 0x1p-10;
    of->smooth_product = kind == CLOSS_MATTHEWS && of->value == CLOSS_MINUS_SCORE ? 0x1p-5 : 0;
    of->perfect_is_one = of->smooth_product > 0;
    if (kind == CLOSS_GENERALIZED_DICE) of->volume_weighting = (closs_volume_weighting)below(r, 3);
    if (of->value == CLOSS_ONE_MINUS_SCORE && one_in(r, 2)) of->exponent = 0.75;
    add_to_name(p, " region-%d-%d", (int)kind, (int)of->value);
}
