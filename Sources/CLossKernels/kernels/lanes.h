// The vector vocabulary: 64 virtual lanes on every instruction set.
//
// A vector is a block of 64 voxels (arithmetic 6.1): 4 registers of AVX-512, 8 of AVX2, 16 of NEON; the compiler splits
// it. Every kernel is written in this vocabulary alone, so that a lane's bits never depend on the width of a register.
// That many registers side by side are also what keeps a processor busy: an exponential is a long chain in which each
// instruction waits for the one before, and four chains hide each other's waiting (measured against 16 lanes: a fifth
// faster with AVX-512, and no slower with AVX2 for all that it spills).
//
// The including file says whether its instruction set has a fused multiply-add: CLOSS_HAS_FMA 1 or 0.
#ifndef CLOSS_KERNELS_LANES_H
#define CLOSS_KERNELS_LANES_H

#include <stdint.h>

#pragma STDC FP_CONTRACT OFF

// Every function here is inlined into code of one instruction set: no vector crosses a call.
#pragma clang diagnostic ignored "-Wpsabi"

enum { LANES = 64 };

#define VECTOR(type, lanes) type __attribute__((vector_size(sizeof(type) * (lanes))))

typedef VECTOR(float, LANES) vf32;
typedef VECTOR(int32_t, LANES) vi32;
typedef VECTOR(uint32_t, LANES) vu32;
typedef VECTOR(uint8_t, LANES) vu8;
typedef VECTOR(uint16_t, LANES) vu16;
typedef VECTOR(double, LANES) vf64;
typedef VECTOR(int64_t, LANES) vi64;
typedef VECTOR(uint64_t, LANES) vu64;

// The same vectors at any address: what a caller's pointer is read and written through.
#define ANYWHERE(vector) vector __attribute__((aligned(1), may_alias))

typedef ANYWHERE(vf32) vf32_anywhere;
typedef ANYWHERE(vi32) vi32_anywhere;
typedef ANYWHERE(vu8) vu8_anywhere;
typedef ANYWHERE(vu16) vu16_anywhere;
typedef ANYWHERE(vi64) vi64_anywhere;
typedef ANYWHERE(vu64) vu64_anywhere;

#define LANES_INLINE static inline __attribute__((always_inline, unused))
// What one of the files that include a header runs, and another does not.
#define LANES_FUNCTION static __attribute__((unused))
// What is so long that a call, for each vector or a whole walk, costs nothing beside it, and copies would only swell
// the code. It takes pointers, and "used" keeps the compiler from making values of them again: vectors that are passed
// by value may come to lie at an address that their instructions refuse, in frames with arrays of variable length.
#define LANES_OUTLINED static __attribute__((noinline, used))

LANES_INLINE vf32 f32_splat(float value) { return value - (vf32){}; }

LANES_INLINE vi32 i32_splat(int32_t value) { return value - (vi32){}; }

LANES_INLINE vf32 f32_load(const float *from) { return *(const vf32_anywhere *)from; }

LANES_INLINE void f32_store(float *to, vf32 value) { *(vf32_anywhere *)to = value; }

LANES_INLINE vi32 i32_load(const int32_t *from) { return *(const vi32_anywhere *)from; }

LANES_INLINE vi32 bits_of(vf32 value) { return (vi32)value; }

LANES_INLINE vf32 f32_from_bits(vi32 bits) { return (vf32)bits; }

// Lane by lane `mask ? yes : no`; a comparison's result (0 or -1) is the mask.
LANES_INLINE vf32 f32_select(vi32 mask, vf32 yes, vf32 no) { return (vf32)((mask & (vi32)yes) | (~mask & (vi32)no)); }

LANES_INLINE vi32 i32_select(vi32 mask, vi32 yes, vi32 no) { return (mask & yes) | (~mask & no); }

// `value` where the mask is set, +0 elsewhere.
LANES_INLINE vf32 f32_keep(vi32 mask, vf32 value) { return f32_from_bits(mask & bits_of(value)); }

LANES_INLINE vf32 f32_abs(vf32 value) { return f32_from_bits(bits_of(value) & i32_splat(0x7fffffff)); }

// `a > b ? a : b`: a NaN on the left gives b, and so do equal values; never the hardware's maximum.
LANES_INLINE vf32 f32_larger(vf32 a, vf32 b) { return f32_select(a > b, a, b); }

LANES_INLINE vi32 lane_numbers(void) {
    return (vi32){0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                  22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
                  44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
}

typedef _Bool vflags __attribute__((ext_vector_type(LANES)));

LANES_INLINE uint64_t bits_of_flags(vflags flags) {
    uint64_t bits;
    __builtin_memcpy(&bits, &flags, sizeof bits);
    return bits;
}

// Bit j is set where lane j of the mask is.
LANES_INLINE uint64_t i32_bits(vi32 mask) { return bits_of_flags(__builtin_convertvector(mask, vflags)); }

LANES_INLINE uint64_t byte_bits(vu8 mask) { return bits_of_flags(__builtin_convertvector(mask, vflags)); }

LANES_INLINE vi32 i32_mask(uint64_t bits) {
    vflags flags;
    __builtin_memcpy(&flags, &bits, sizeof flags);
    return -__builtin_convertvector(flags, vi32);
}

LANES_INLINE int i32_any(vi32 mask) { return __builtin_reduce_or(mask) != 0; }

#if CLOSS_HAS_FMA

// a * b + c with one rounding.
LANES_INLINE vf32 f32_fma(vf32 a, vf32 b, vf32 c) { return __builtin_elementwise_fma(a, b, c); }

#else

// a * b + c with one rounding, for processors without the instruction. The product is exact in Double; the sum is
// rounded to odd there (the error of the addition tells which neighbour is odd), so that rounding it once more to
// Float cannot err: 53 bits are at least 24 + 2. Not inlined: it is long, and slow either way.
__attribute__((noinline, unused)) static vf32 f32_fma(vf32 a, vf32 b, vf32 c) {
    vf64 product = __builtin_convertvector(a, vf64) * __builtin_convertvector(b, vf64);
    vf64 addend = __builtin_convertvector(c, vf64);
    vf64 sum = product + addend;
    vf64 virtual_addend = sum - product;
    vf64 error = (product - (sum - virtual_addend)) + (addend - virtual_addend);
    vi64 bits = (vi64)sum;
    vi64 inexact = (error != 0.0) & (error == error);
    vi64 even = (bits & 1) == 0;
    vi64 overshoots = ((vi64)error ^ bits) < 0;
    vi64 step = inexact & even & (overshoots | 1);
    return __builtin_convertvector((vf64)(bits + step), vf32);
}

#endif

#endif
