// What the kernels' files for AVX2 begin with, after they have asked for x86-64. They end with
// #pragma clang attribute pop.
#define CLOSS_HAS_FMA 1
#define CLOSS_HAS_HALF 1
#define CLOSS_HAS_WIDE_SHUFFLES 0
#define CLOSS_TABLE_LANES 8
#define OF_ISA(name) name##_avx2
#define ISA_HERE CLOSS_ISA_AVX2
#include <string.h>
#include "kernels/formula.h"
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
