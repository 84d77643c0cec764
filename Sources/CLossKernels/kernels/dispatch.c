#include "kernels/formula.h"

#if defined(__x86_64__)

static int has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

static int has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

const kernels *kernels_for(closs_isa isa) {
    switch (isa) {
    case CLOSS_ISA_BEST: return has_avx512() ? &kernels_avx512 : has_avx2() ? &kernels_avx2 : &kernels_generic;
    case CLOSS_ISA_GENERIC: return &kernels_generic;
    case CLOSS_ISA_AVX2: return has_avx2() ? &kernels_avx2 : 0;
    case CLOSS_ISA_AVX512: return has_avx512() ? &kernels_avx512 : 0;
    }
    return 0;
}

#else

const kernels *kernels_for(closs_isa isa) {
    return isa == CLOSS_ISA_BEST || isa == CLOSS_ISA_GENERIC ? &kernels_generic : 0;
}

#endif
