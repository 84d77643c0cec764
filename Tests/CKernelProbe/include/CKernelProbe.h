// What tests look at that no public header shows: the kernels' elementary functions on each instruction set, the
// floating-point environment, the heap and the stack. For tests only; no product contains it.
#ifndef CKERNEL_PROBE_H
#define CKERNEL_PROBE_H

#include <stddef.h>
#include <stdint.h>

// -------------------------------------------------------------------------------------------------- functions ----

typedef enum probe_isa { PROBE_GENERIC = 0, PROBE_AVX2 = 1, PROBE_AVX512 = 2 } probe_isa;

// The functions of kernels/elementary.h, kernels/order.h and kernels/lanes.h over arrays of `count` values, a multiple
// of 64.
typedef struct probe_functions {
    void (*exp_nonpositive)(const float *x, float *result, size_t count);
    void (*log1p_unit)(const float *x, float *result, size_t count);
    void (*log_positive)(const float *x, float *result, size_t count);
    void (*key_of)(const float *x, uint32_t *result, size_t count);
    void (*value_of_key)(const uint32_t *key, float *result, size_t count);
    void (*fma)(const float *a, const float *b, const float *c, float *result, size_t count);
    int has_fma; // 0: the substitute of lanes.h
} probe_functions;

// Those of an instruction set; NULL where this machine or build has none.
const probe_functions *probe_functions_of(probe_isa isa);

// ------------------------------------------------------------------------------------------------ environment ----

typedef enum probe_rounding { PROBE_NEAREST, PROBE_DOWN, PROBE_UP, PROBE_TO_ZERO } probe_rounding;

// Sets this thread's rounding and, if `flush` is not 0, flush-to-zero and denormals-are-zero; gives back what was set.
uint64_t probe_environment_set(probe_rounding rounding, int flush);

// The calling thread's control word, without the flags that computing raises.
uint64_t probe_environment(void);

void probe_environment_restore(uint64_t environment);

// 1 / 3 and a subnormal times 1, computed here and now: what the environment really does.
float probe_third(void);
float probe_subnormal(void);

// ------------------------------------------------------------------------------------------------------- heap ----

// Not 0 where the heap is watched: with glibc, and without a sanitizer of its own.
int probe_heap_is_watched(void);

// How often this process has asked the heap for memory, from any thread and any library.
uint64_t probe_allocations(void);

// Whether this thread's calls of calloc fail from now on.
void probe_fail_calloc(int fail);

// ------------------------------------------------------------------------------------------------------ stack ----

// Bytes of its stack that a thread touches in `body`; 0: no thread could be made.
size_t probe_stack_used(void (*body)(void *), void *context);

#endif
