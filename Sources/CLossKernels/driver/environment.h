// The floating-point environment that the arithmetic asks for (arithmetic 1), thread by thread.
#ifndef CLOSS_DRIVER_ENVIRONMENT_H
#define CLOSS_DRIVER_ENVIRONMENT_H

#include <stdint.h>

#if defined(__x86_64__)

typedef uint32_t float_environment;

// All exceptions masked, to nearest, neither flush-to-zero nor denormals-are-zero.
static const float_environment CONTRACT_ENVIRONMENT = 0x1f80;

static inline float_environment environment_read(void) { return __builtin_ia32_stmxcsr(); }
static inline void environment_write(float_environment e) { __builtin_ia32_ldmxcsr(e); }

#elif defined(__aarch64__)

typedef uint64_t float_environment;

static const float_environment CONTRACT_ENVIRONMENT = 0;

static inline float_environment environment_read(void) {
    float_environment e;
    __asm__ volatile("mrs %0, fpcr" : "=r"(e) : : "memory");
    return e;
}

static inline void environment_write(float_environment e) { __asm__ volatile("msr fpcr, %0" : : "r"(e) : "memory"); }

#else
#error "SegLoss knows the floating-point environment of x86-64 and AArch64"
#endif

// For what computes between entering and leaving: inlined, it could be moved out.
#define NOT_INLINED __attribute__((noinline))

// Sets the contract's environment and gives back the caller's.
static inline float_environment environment_enter(void) {
    float_environment callers = environment_read();
    environment_write(CONTRACT_ENVIRONMENT);
    return callers;
}

static inline void environment_leave(float_environment callers) { environment_write(callers); }

#endif
