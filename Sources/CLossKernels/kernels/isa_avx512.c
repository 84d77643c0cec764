#if defined(__x86_64__)
#define CLOSS_HAS_FMA 1
#define CLOSS_HAS_HALF 1
#include <string.h>
#include "kernels/formula.h"
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))),                   \
                             apply_to = function)
#include "kernels/table.h"
#pragma clang attribute pop

KERNELS(kernels_avx512, CLOSS_ISA_AVX512);
#endif
