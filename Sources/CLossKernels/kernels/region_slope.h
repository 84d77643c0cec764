// The derivatives by p of what region terms add up (arithmetic 4.6, 7.2.7).
#ifndef CLOSS_KERNELS_REGION_SLOPE_H
#define CLOSS_KERNELS_REGION_SLOPE_H

#include "kernels/lanes.h"

// What is `at_one` where g is 1 and `at_zero` where it is 0: a choice between them there, without rounding.
LANES_INLINE vf32 between_targets(float at_one, float at_zero, vf32 g) {
    return f32_fma(f32_splat(at_one), g, (1 - g) * f32_splat(at_zero));
}

// The slope below a target, above it, and at the kink of min(p, g) between them.
LANES_INLINE vf32 around_target(vf32 below, vf32 above, vf32 p, vf32 g) {
    return f32_select(p < g, below, f32_select(p > g, above, f32_splat(0.5f) * (below + above)));
}

#endif
