// Errors of the probability itself (arithmetic 5.5): each a loss of p - g, or of p alone, and its derivative by p.
#ifndef CLOSS_KERNELS_ERROR_H
#define CLOSS_KERNELS_ERROR_H

#include "kernels/formula.h"
#include "kernels/lanes.h"

// p - g without cancellation where g is 1 (`one`): -q there.
LANES_INLINE vf32 error_difference(vi32 one, vf32 p, vf32 q, vf32 g) { return f32_select(one, -q, p - g); }

// 1, -1, or 0 where the difference is 0.
LANES_INLINE vf32 error_sign(vf32 d) { return f32_select(d > 0, f32_splat(1), f32_keep(d < 0, f32_splat(-1))); }

LANES_INLINE vf32 error_loss(const pointwise_formula *term, vf32 p, vf32 d, vf32 map) {
    vf32 a = f32_abs(d);
    switch (term->kind) {
    case CLOSS_SQUARED_ERROR: return d * d;
    case CLOSS_SMOOTH_L1:
        if (!(term->knee > 0)) return a;
        return f32_select(a < term->knee, (0.5f * (a * a)) / term->knee, a - term->knee * 0.5f);
    case CLOSS_BOUNDARY:
    case CLOSS_LINEAR_MAP: return p * map;
    case CLOSS_HAUSDORFF: return (d * d) * map;
    default: return a;
    }
}

LANES_INLINE vf32 error_slope(const pointwise_formula *term, vf32 d, vf32 map) {
    switch (term->kind) {
    case CLOSS_SQUARED_ERROR: return 2 * d;
    case CLOSS_SMOOTH_L1:
        if (!(term->knee > 0)) return error_sign(d);
        return f32_select(f32_abs(d) < term->knee, d / term->knee, error_sign(d));
    case CLOSS_BOUNDARY:
    case CLOSS_LINEAR_MAP: return map;
    case CLOSS_HAUSDORFF: return (2 * d) * map;
    default: return error_sign(d);
    }
}

#endif
