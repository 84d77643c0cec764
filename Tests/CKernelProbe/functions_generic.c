#if defined(__FMA__) || defined(__aarch64__)
#define CLOSS_HAS_FMA 1
#else
#define CLOSS_HAS_FMA 0
#endif
#include "functions.h"

FUNCTIONS(probe_generic);

#if defined(__x86_64__)

extern const probe_functions probe_avx2, probe_avx512;

const probe_functions *probe_functions_of(probe_isa isa) {
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    switch (isa) {
    case PROBE_GENERIC: return &probe_generic;
    case PROBE_AVX2: return avx2 ? &probe_avx2 : 0;
    case PROBE_AVX512: return avx512 ? &probe_avx512 : 0;
    }
    return 0;
}

#else

const probe_functions *probe_functions_of(probe_isa isa) { return isa == PROBE_GENERIC ? &probe_generic : 0; }

#endif
