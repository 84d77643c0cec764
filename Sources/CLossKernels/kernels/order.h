// Floats as integers in the same order (arithmetic 8.1).
#ifndef CLOSS_KERNELS_ORDER_H
#define CLOSS_KERNELS_ORDER_H

#include "kernels/lanes.h"

// Larger values have larger keys; -0 and +0 have one.
LANES_INLINE u32x16 key_of(f32x16 value) {
    i32x16 bits = bits_of(value) & ~(value == 0);
    return (u32x16)(bits ^ ((bits >> 31) | INT32_MIN));
}

LANES_INLINE f32x16 value_of_key(u32x16 key) {
    i32x16 negative = ~((i32x16)key >> 31);
    return f32_from_bits((i32x16)key ^ (negative | INT32_MIN));
}

#endif
