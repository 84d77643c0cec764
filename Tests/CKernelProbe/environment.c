#include "CKernelProbe.h"

#if defined(__x86_64__)

static const uint64_t RAISED_FLAGS = 0x3f;
static const uint64_t FLUSH = 0x8040; // FTZ, DAZ
static const uint64_t ROUNDING[] = {0, 0x2000, 0x4000, 0x6000};
static const uint64_t ALL_ROUNDING = 0x6000;

static uint64_t read_environment(void) { return __builtin_ia32_stmxcsr(); }
static void write_environment(uint64_t e) { __builtin_ia32_ldmxcsr((uint32_t)e); }

#elif defined(__aarch64__)

static const uint64_t RAISED_FLAGS = 0; // they have a register of their own
static const uint64_t FLUSH = 1u << 24;
static const uint64_t ROUNDING[] = {0, 2u << 22, 1u << 22, 3u << 22};
static const uint64_t ALL_ROUNDING = 3u << 22;

static uint64_t read_environment(void) {
    uint64_t e;
    __asm__ volatile("mrs %0, fpcr" : "=r"(e));
    return e;
}

static void write_environment(uint64_t e) { __asm__ volatile("msr fpcr, %0" : : "r"(e)); }

#endif

uint64_t probe_environment_set(probe_rounding rounding, int flush) {
    uint64_t before = read_environment();
    write_environment((before & ~(ALL_ROUNDING | FLUSH)) | ROUNDING[rounding] | (flush ? FLUSH : 0));
    return before;
}

uint64_t probe_environment(void) { return read_environment() & ~RAISED_FLAGS; }

void probe_environment_restore(uint64_t environment) { write_environment(environment); }

float probe_third(void) {
    volatile float one = 1, three = 3;
    return one / three;
}

float probe_subnormal(void) {
    volatile float one = 1, smallest = 0x1p-149f;
    return one * smallest;
}
