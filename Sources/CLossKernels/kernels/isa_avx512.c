#if defined(__x86_64__)
#include "kernels/avx512.h"
#include "kernels/table.h"
#pragma clang attribute pop

const kernels kernels_avx512 = KERNELS;
#endif
