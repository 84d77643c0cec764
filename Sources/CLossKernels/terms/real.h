// Logarithm, exponential and power in Double for the few numbers that a finish needs, of exactly rounded operations in
// a fixed order: no library's function is called, so that the bits are the same everywhere (arithmetic 2.4).
#ifndef CLOSS_TERMS_REAL_H
#define CLOSS_TERMS_REAL_H

#include <stdint.h>

#pragma STDC FP_CONTRACT OFF

static const double REAL_LN2_HIGH = 0x1.62e42fefa38p-1; // 42 bits: its product with an exponent is exact
static const double REAL_LN2_LOW = 0x1.ef35793c7673p-45;
static const double REAL_SMALLEST = 0x1p-1022;

static inline int64_t real_bits(double x) {
    int64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double real_from_bits(int64_t bits) {
    double x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

// log((1 + s) / (1 - s)) for |s| < 0.172: the series of 2 artanh(s).
static inline double real_log_of_ratio(double s) {
    double z = s * s, series = 0;
    for (int k = 23; k >= 3; k -= 2) series = (series + 1.0 / k) * z;
    return 2 * s + 2 * s * series;
}

// log(x) of a positive normal number: x = 2^e m with m in [sqrt(1/2), sqrt(2)).
static inline double real_log(double x) {
    int64_t offset = real_bits(x) - 0x3fe6a09e667f3bcd; // the bits of sqrt(1/2)
    int64_t exponent = offset >> 52;
    double f = real_from_bits(real_bits(x) - (int64_t)((uint64_t)exponent << 52)) - 1, e = (double)exponent;
    return e * REAL_LN2_HIGH + (e * REAL_LN2_LOW + real_log_of_ratio(f / (2 + f)));
}

// log(1 + x) of an x that is not negative; of a small one too it loses nothing.
static inline double real_log_plus_one(double x) { return x < 0.25 ? real_log_of_ratio(x / (2 + x)) : real_log(1 + x); }

// exp(x), held within the range of normal numbers.
static inline double real_exp(double x) {
    if (!(x > -708)) return 0;
    if (x > 709) x = 709;
    double magic = 0x1.8p+52, n = (x * 0x1.71547652b82fep+0 + magic) - magic;
    double r = (x - n * REAL_LN2_HIGH) - n * REAL_LN2_LOW;
    double sum = 1;
    for (int k = 14; k >= 1; k--) sum = 1 + sum * (r / k);
    return sum * real_from_bits(((int64_t)n + 1023) << 52);
}

// x^y of a positive x.
static inline double real_power(double x, double y) { return real_exp(y * real_log(x)); }

// log(cosh(x)) of a number that is not negative. Near 0 through cosh(x) = 1 + 2 sinh(x/2)^2, which loses nothing.
static inline double real_log_cosh(double x) {
    if (x >= 0.5) return x + real_log((1 + real_exp(-2 * x)) / 2);
    double h = x / 2, z = h * h, t = 1;
    for (int k = 16; k >= 2; k -= 2) t = 1 + t * (z / (k * (k + 1)));
    double sinh = h * t, u = 2 * (sinh * sinh);
    return real_log_of_ratio(u / (2 + u));
}

#endif
