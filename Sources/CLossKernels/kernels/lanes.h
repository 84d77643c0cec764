// The vector vocabulary: 16 virtual lanes on every instruction set.
//
// One AVX-512 register, two AVX2 registers or four NEON registers hold a value of these types; the compiler splits
// them. Every kernel is written in this vocabulary alone, so that a lane's bits never depend on the width of a register.
//
// The including file says whether its instruction set has a fused multiply-add: CLOSS_HAS_FMA 1 or 0.
#ifndef CLOSS_KERNELS_LANES_H
#define CLOSS_KERNELS_LANES_H

#include <stdint.h>

#pragma STDC FP_CONTRACT OFF

// Every function here is inlined into code of one instruction set: no vector crosses a call.
#pragma clang diagnostic ignored "-Wpsabi"

enum { LANES = 16 };

typedef float f32x16 __attribute__((vector_size(64)));
typedef int32_t i32x16 __attribute__((vector_size(64)));
typedef uint32_t u32x16 __attribute__((vector_size(64)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef uint8_t u8x64 __attribute__((vector_size(64)));
typedef double f64x16 __attribute__((vector_size(128)));
typedef int64_t i64x16 __attribute__((vector_size(128)));
typedef uint64_t u64x16 __attribute__((vector_size(128)));

// The same vectors at any address: what a caller's pointer is read and written through.
typedef f32x16 f32x16_unaligned __attribute__((aligned(1), may_alias));
typedef i32x16 i32x16_unaligned __attribute__((aligned(1), may_alias));
typedef u8x16 u8x16_unaligned __attribute__((aligned(1), may_alias));
typedef u8x64 u8x64_unaligned __attribute__((aligned(1), may_alias));

#define LANES_INLINE static inline __attribute__((always_inline, unused))

LANES_INLINE f32x16 f32_splat(float value) { return value - (f32x16){}; }

LANES_INLINE i32x16 i32_splat(int32_t value) { return value - (i32x16){}; }

LANES_INLINE f32x16 f32_load(const float *from) { return *(const f32x16_unaligned *)from; }

LANES_INLINE void f32_store(float *to, f32x16 value) { *(f32x16_unaligned *)to = value; }

LANES_INLINE i32x16 i32_load(const int32_t *from) { return *(const i32x16_unaligned *)from; }

LANES_INLINE i32x16 bits_of(f32x16 value) { return (i32x16)value; }

LANES_INLINE f32x16 f32_from_bits(i32x16 bits) { return (f32x16)bits; }

// Lane by lane `mask ? yes : no`; a comparison's result (0 or -1) is the mask.
LANES_INLINE f32x16 f32_select(i32x16 mask, f32x16 yes, f32x16 no) {
    return (f32x16)((mask & (i32x16)yes) | (~mask & (i32x16)no));
}

LANES_INLINE i32x16 i32_select(i32x16 mask, i32x16 yes, i32x16 no) { return (mask & yes) | (~mask & no); }

// `value` where the mask is set, +0 elsewhere.
LANES_INLINE f32x16 f32_keep(i32x16 mask, f32x16 value) { return f32_from_bits(mask & bits_of(value)); }

LANES_INLINE f32x16 f32_abs(f32x16 value) { return f32_from_bits(bits_of(value) & i32_splat(0x7fffffff)); }

// `a > b ? a : b`: a NaN on the left gives b, and so do equal values; never the hardware's maximum.
LANES_INLINE f32x16 f32_larger(f32x16 a, f32x16 b) { return f32_select(a > b, a, b); }

LANES_INLINE int i32_any(i32x16 mask) { return __builtin_reduce_or(mask) != 0; }

#if CLOSS_HAS_FMA

// a * b + c with one rounding.
LANES_INLINE f32x16 f32_fma(f32x16 a, f32x16 b, f32x16 c) { return __builtin_elementwise_fma(a, b, c); }

#else

// a * b + c with one rounding, for processors without the instruction. The product is exact in Double; the sum is
// rounded to odd there (the error of the addition tells which neighbour is odd), so that rounding it once more to
// Float cannot err: 53 bits are at least 24 + 2. Not inlined: it is long, and slow either way.
__attribute__((noinline, unused)) static f32x16 f32_fma(f32x16 a, f32x16 b, f32x16 c) {
    f64x16 product = __builtin_convertvector(a, f64x16) * __builtin_convertvector(b, f64x16);
    f64x16 addend = __builtin_convertvector(c, f64x16);
    f64x16 sum = product + addend;
    f64x16 virtual_addend = sum - product;
    f64x16 error = (product - (sum - virtual_addend)) + (addend - virtual_addend);
    i64x16 bits = (i64x16)sum;
    i64x16 inexact = (error != 0.0) & (error == error);
    i64x16 even = (bits & 1) == 0;
    i64x16 overshoots = ((i64x16)error ^ bits) < 0;
    i64x16 step = inexact & even & (overshoots | 1);
    return __builtin_convertvector((f64x16)(bits + step), f32x16);
}

#endif

#endif
