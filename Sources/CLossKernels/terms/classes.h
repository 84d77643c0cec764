// Which classes take part in a term.
#ifndef CLOSS_TERMS_CLASSES_H
#define CLOSS_TERMS_CLASSES_H

#include <stdint.h>

#include "include/closs.h"

static inline int has_class(const uint64_t *bits, int64_t c) { return (int)(bits[c / 64] >> c % 64 & 1); }

// A bit for each: of those that are named, or of all where none is; without class 0 where the background is excluded.
static inline void take_classes(const uint64_t *named, int exclude_background, int64_t classes, uint64_t *taken) {
    uint64_t some = 0;
    for (int i = 0; i < CLOSS_MAX_CLASSES / 64; i++) some |= taken[i] = named[i];
    for (int64_t c = 0; !some && c < classes; c++) taken[c / 64] |= (uint64_t)1 << c % 64;
    if (exclude_background) taken[0] &= ~(uint64_t)1;
}

// Of a term that measures distances: without those of weight 0, and never without the only one for being background.
static inline void distance_take_classes(const closs_distance_term *t, int64_t classes, uint64_t *taken) {
    take_classes(t->classes, t->exclude_background && classes > 1, classes, taken);
    for (int64_t c = 0; t->class_weights && c < classes; c++)
        if (!(t->class_weights[c] > 0)) taken[c / 64] &= ~((uint64_t)1 << c % 64);
}

#endif
