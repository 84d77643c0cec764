// exp, log1p and log on the intervals the losses need, each as one fixed tree of exact-by-definition operations.
//
// No lane looks at another and nothing depends on the instruction set, so a value's bits are the same wherever it is
// computed; Tests/SegLossReference/Elementary.swift holds the same trees for one value. The stated errors are the
// greatest over every Float of the domain, in units of the last place of the exact result.
//
// The polynomials come from docs/coefficients/generate.py. Horner's scheme throughout: it has the fewest operations and
// the smallest error, and Estrin's and the even/odd split were slower on AVX2 and no faster to speak of on AVX-512.
#ifndef CLOSS_KERNELS_ELEMENTARY_H
#define CLOSS_KERNELS_ELEMENTARY_H

#include "lanes.h"

// Added to a number below 2^22 in magnitude it leaves the nearest integer in the low bits.
static const float ROUNDING_MAGIC = 0x1.8p+23f;
static const int32_t ROUNDING_MAGIC_BITS = 0x4b400000;

static const float LOG2_E = 0x1.715476p+0f;
static const float LN2_HIGH = 0x1.62e43p-1f;
static const float LN2_LOW = -0x1.05c61p-29f;

// e^-87.25 = 0x1.172478p-126 is a normal Float with little to spare.
static const float EXP_LOWEST = -87.25f;

// e^r = 1 + r * Q(r) for |r| <= ln(2) / 2; relative error 2^-28.2.
static const float EXP_C1 = 0x1p+0f;
static const float EXP_C2 = 0x1.fffffcp-2f;
static const float EXP_C3 = 0x1.555494p-3f;
static const float EXP_C4 = 0x1.5558bep-5f;
static const float EXP_C5 = 0x1.123856p-7f;
static const float EXP_C6 = 0x1.6a3d0ep-10f;

// e^x for x in [-87.25, 0], error below 0.892 ULP. Exactly 1 at either zero, never above 1, never subnormal.
// Not quite monotone: of the 1.1e9 steps from one Float to the next, 2934 go one unit in the last place the wrong way.
// x below -87.25, -infinity and NaN give the value at -87.25. x above zero: unspecified.
LANES_INLINE vf32 exp_nonpositive(vf32 x) {
    x = f32_larger(x, f32_splat(EXP_LOWEST));
    vf32 z = f32_fma(x, f32_splat(LOG2_E), f32_splat(ROUNDING_MAGIC));
    vf32 n = z - f32_splat(ROUNDING_MAGIC);
    vf32 r = f32_fma(n, f32_splat(-LN2_HIGH), x);
    r = f32_fma(n, f32_splat(-LN2_LOW), r);
    vf32 q = f32_fma(f32_splat(EXP_C6), r, f32_splat(EXP_C5));
    q = f32_fma(q, r, f32_splat(EXP_C4));
    q = f32_fma(q, r, f32_splat(EXP_C3));
    q = f32_fma(q, r, f32_splat(EXP_C2));
    q = f32_fma(q, r, f32_splat(EXP_C1));
    vf32 power = f32_fma(q, r, f32_splat(1.0f));
    // The magic number's own bits leave the word in the shift: n alone reaches the exponent field.
    return f32_from_bits((vi32)((vu32)power + ((vu32)z << 23)));
}

// log(1 + x) = x + x^2 * Q(x) for x in [0, 1]; relative error 2^-24.5 near 0 to 2^-25.1 near 1, where rounding errors
// are greatest.
static const float LOG1P_C2 = -0x1.fffef2p-2f;
static const float LOG1P_C3 = 0x1.55329ap-2f;
static const float LOG1P_C4 = -0x1.fcdc98p-3f;
static const float LOG1P_C5 = 0x1.8769f6p-3f;
static const float LOG1P_C6 = -0x1.17d81ap-3f;
static const float LOG1P_C7 = 0x1.40137ap-4f;
static const float LOG1P_C8 = -0x1.e1e63cp-6f;
static const float LOG1P_C9 = 0x1.54e716p-8f;

// Too small to change any result; it keeps x * Q(x) out of the subnormals, which are slow, where x is the smallest
// value of exp_nonpositive.
static const float LOG1P_NO_UNDERFLOW = -0x1p-100f;

// log(1 + x) for x in [0, 1], error below 1.474 ULP. Zero gives zero, x below 2^-24 gives x, no result is negative.
// Not quite monotone: of the 1.1e9 steps from one Float to the next, 10778 go one unit in the last place the wrong way.
// Outside: NaN gives NaN, everything else is unspecified.
LANES_INLINE vf32 log1p_unit(vf32 x) {
    vf32 q = f32_fma(f32_splat(LOG1P_C9), x, f32_splat(LOG1P_C8));
    q = f32_fma(q, x, f32_splat(LOG1P_C7));
    q = f32_fma(q, x, f32_splat(LOG1P_C6));
    q = f32_fma(q, x, f32_splat(LOG1P_C5));
    q = f32_fma(q, x, f32_splat(LOG1P_C4));
    q = f32_fma(q, x, f32_splat(LOG1P_C3));
    q = f32_fma(q, x, f32_splat(LOG1P_C2));
    // In this order the last sum is x plus a correction of at most 0.31 x, whose errors are that much smaller.
    vf32 correction = f32_fma(q, x, f32_splat(LOG1P_NO_UNDERFLOW));
    return f32_fma(correction, x, x);
}

// log(1 + f) = f + f^2 * Q(f) for f in [sqrt(1/2) - 1, sqrt(2) - 1]; relative error 2^-25.0.
static const float LOG_C2 = -0x1.fffffap-2f;
static const float LOG_C3 = 0x1.5556fp-2f;
static const float LOG_C4 = -0x1.0004a8p-2f;
static const float LOG_C5 = 0x1.98d3ap-3f;
static const float LOG_C6 = -0x1.535c2ap-3f;
static const float LOG_C7 = 0x1.317ca8p-3f;
static const float LOG_C8 = -0x1.2505acp-3f;
static const float LOG_C9 = 0x1.65f0fp-4f;

static const uint32_t SQRT_HALF_BITS = 0x3f3504f3;
static const uint32_t EXPONENT_AND_SIGN = 0xff800000;

// The two parts of log(x) for a positive normal x: `exponent` * ln 2 and what is given back.
LANES_INLINE vf32 log_parts(vf32 x, vf32 *exponent) {
    // x = 2^exponent * m with m in [sqrt(1/2), sqrt(2)): f = m - 1 is exact.
    vu32 bits = (vu32)x;
    vu32 offset = bits - SQRT_HALF_BITS;
    vf32 f = f32_from_bits((vi32)(bits - (offset & EXPONENT_AND_SIGN))) - f32_splat(1.0f);
    *exponent = f32_from_bits(((vi32)offset >> 23) + ROUNDING_MAGIC_BITS) - f32_splat(ROUNDING_MAGIC);
    vf32 q = f32_fma(f32_splat(LOG_C9), f, f32_splat(LOG_C8));
    q = f32_fma(q, f, f32_splat(LOG_C7));
    q = f32_fma(q, f, f32_splat(LOG_C6));
    q = f32_fma(q, f, f32_splat(LOG_C5));
    q = f32_fma(q, f, f32_splat(LOG_C4));
    q = f32_fma(q, f, f32_splat(LOG_C3));
    q = f32_fma(q, f, f32_splat(LOG_C2));
    return f32_fma(f * f, q, f);
}

// log(x) for every positive normal x, error below 1.136 ULP; +0 at 1. Monotone: no greater x gives a smaller result.
// Outside, always finite and otherwise unspecified: zeros and subnormals give no more than the smallest normal does
// (-127 ln 2 at +0), infinity and positive NaNs no less than the greatest, a negative sign gives nothing useful.
LANES_INLINE vf32 log_positive(vf32 x) {
    vf32 exponent, fraction = log_parts(x, &exponent);
    // LN2_HIGH alone will do: it is nearer to ln(2) than a twentieth of its last place.
    return f32_fma(exponent, f32_splat(LN2_HIGH), fraction);
}

// u^a for a positive normal u (arithmetic 4.1), power_of. The product of a and log(u) is carried with what a float
// loses of it: as an argument of the exponential alone it would cost half the digits where u is tiny.
LANES_OUTLINED void power_into(const vf32 *at, const vf32 *of, vf32 *result) {
    vf32 u = *at, a = *of;
    vf32 exponent, fraction = log_parts(u, &exponent);
    vf32 log = f32_fma(exponent, f32_splat(LN2_HIGH), fraction);
    vf32 lost = f32_fma(exponent, f32_splat(LN2_HIGH), -log) + fraction;
    lost = f32_fma(exponent, f32_splat(LN2_LOW), lost);
    vf32 x = a * log;
    vf32 correction = f32_fma(a, lost, f32_fma(a, log, -x));
    vf32 power = exp_nonpositive(-f32_abs(x));
    power = f32_select(x <= 0, power, 1 / power);
    *result = f32_fma(power, correction, power);
}

LANES_INLINE vf32 power_of(vf32 u, vf32 a) {
    vf32 result;
    power_into(&u, &a, &result);
    return result;
}

#endif
