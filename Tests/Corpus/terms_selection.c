#include "terms.h"

void draw_balanced_binary_cross_entropy(problem *p, random_numbers *r, closs_balanced_binary_cross_entropy *of) {
    of->negative_ratio = (double)below(r, 13) * 0.25;
    of->minimum_negatives = below(r, 20);
    of->epsilon = one_in(r, 2) ? 0x1p-20 : 0;
    of->scope = (closs_scope)below(r, 2);
    add_to_name(p, " balanced-%s", of->scope ? "batch" : "sample");
}

void draw_balanced_l1(problem *p, random_numbers *r, closs_balanced_l1 *of) {
    of->negative_ratio = (double)below(r, 13) * 0.25;
    of->minimum_negatives = below(r, 20);
    of->scope = (closs_scope)below(r, 2);
    add_to_name(p, " balanced-l1-%s", of->scope ? "batch" : "sample");
}

void draw_top_k(problem *p, random_numbers *r, closs_top_k *of) {
    of->percent = one_in(r, 8) ? 100 : (double)(1 + below(r, 50));
    of->ignored = (closs_ignored)below(r, 2);
    of->scope = (closs_scope)below(r, 2);
    of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
    of->label_smoothing = p->spec.activation == CLOSS_SOFTMAX && one_in(r, 4) ? 0.125 : 0;
    add_to_name(p, " top-%g-%s", of->percent, of->scope ? "batch" : "sample");
}

void draw_ohem(problem *p, random_numbers *r, closs_ohem *of, double share) {
    of->threshold = share;
    of->minimum_kept = 1 + below(r, 400);
    of->divisor = draw_divisor(r, &of->divisor_value);
    of->scope = (closs_scope)below(r, 2);
    of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
    add_to_name(p, " ohem-%g-%s", of->threshold, of->scope ? "batch" : "sample");
}
