// The functions of one instruction set. Included once by each functions_*.c, after it has said what its instruction
// set has, exactly as the kernels' own files do.
#include "CKernelProbe.h"
#include "kernels/elementary.h"
#include "kernels/order.h"

#define OVER_ARRAY(name, call)                                                                                         \
    static void name(const float *x, float *result, size_t count) {                                                    \
        for (size_t i = 0; i < count; i += LANES) f32_store(result + i, call(f32_load(x + i)));                        \
    }

OVER_ARRAY(exps, exp_nonpositive)
OVER_ARRAY(log1ps, log1p_unit)
OVER_ARRAY(logs, log_positive)

static void keys(const float *x, uint32_t *result, size_t count) {
    for (size_t i = 0; i < count; i += LANES)
        f32_store((float *)(result + i), f32_from_bits((vi32)key_of(f32_load(x + i))));
}

static void values_of_keys(const uint32_t *key, float *result, size_t count) {
    for (size_t i = 0; i < count; i += LANES)
        f32_store(result + i, value_of_key((vu32)i32_load((const int32_t *)key + i)));
}

static void fmas(const float *a, const float *b, const float *c, float *result, size_t count) {
    for (size_t i = 0; i < count; i += LANES)
        f32_store(result + i, f32_fma(f32_load(a + i), f32_load(b + i), f32_load(c + i)));
}

#define FUNCTIONS(name) const probe_functions name = {exps, log1ps, logs, keys, values_of_keys, fmas, CLOSS_HAS_FMA}
