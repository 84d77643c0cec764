// What the kernels' files for AVX-512 begin with, after they have asked for x86-64. They end with
// #pragma clang attribute pop.
#define CLOSS_HAS_FMA 1
#define CLOSS_HAS_HALF 1
#define CLOSS_HAS_WIDE_SHUFFLES 1 // of two vectors of 16 floats, any lane
#define CLOSS_TABLE_LANES 16      // entries of a table that one shuffle picks from
#define OF_ISA(name) name##_avx512
#define ISA_HERE CLOSS_ISA_AVX512
#include <string.h>
#include "kernels/formula.h"
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))),              \
                             apply_to = function)
