// A label of any type, as one integer. Included outside the kernels too.
#ifndef CLOSS_KERNELS_LABEL_H
#define CLOSS_KERNELS_LABEL_H

#include <stdint.h>

#include "include/closs.h"

static inline __attribute__((always_inline)) int64_t label_at(closs_target target, const void *labels, int64_t i) {
    switch (target) {
    case CLOSS_LABELS_U16: return ((const uint16_t *)labels)[i];
    case CLOSS_LABELS_I32: return ((const int32_t *)labels)[i];
    case CLOSS_LABELS_I64: return ((const int64_t *)labels)[i];
    default: return ((const uint8_t *)labels)[i]; // masks too
    }
}

#endif
