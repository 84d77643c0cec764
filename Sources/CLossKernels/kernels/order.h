// Floats as integers in the same order (arithmetic 8.1).
#ifndef CLOSS_KERNELS_ORDER_H
#define CLOSS_KERNELS_ORDER_H

#include "kernels/lanes.h"

// Larger values have larger keys; -0 and +0 have one.
LANES_INLINE vu32 key_of(vf32 value) {
    vi32 bits = bits_of(value) & ~(value == 0);
    return (vu32)(bits ^ ((bits >> 31) | INT32_MIN));
}

LANES_INLINE vf32 value_of_key(vu32 key) {
    vi32 negative = ~((vi32)key >> 31);
    return f32_from_bits((vi32)key ^ (negative | INT32_MIN));
}

#endif
