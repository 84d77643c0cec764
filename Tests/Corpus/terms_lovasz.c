#include "terms.h"

void draw_lovasz(problem *p, random_numbers *r, closs_lovasz *of, closs_term_kind kind) {
    of->scope = (closs_scope)below(r, 4);
    of->present_only = one_in(r, 2);
    of->exclude_background = p->spec.shape.classes > 1 && one_in(r, 3);
    if (of->scope <= CLOSS_PER_BATCH) of->class_weights = draw_class_weights(p, r, &of->class_weights_count);
    add_to_name(p, " lovasz-%d-%d", (int)kind, (int)of->scope);
}
