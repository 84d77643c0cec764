#if defined(__x86_64__)
#define CLOSS_HAS_FMA 1
#include <stddef.h>
#include <stdint.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))),                   \
                             apply_to = function)
#include "functions.h"
#pragma clang attribute pop

FUNCTIONS(probe_avx512);
#endif
