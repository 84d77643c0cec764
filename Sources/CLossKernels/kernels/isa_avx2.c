#if defined(__x86_64__)
#define CLOSS_HAS_FMA 1
#define CLOSS_HAS_HALF 1
#include <string.h>
#include "kernels/formula.h"
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "kernels/table.h"
#pragma clang attribute pop

KERNELS(kernels_avx2, CLOSS_ISA_AVX2);
#endif
