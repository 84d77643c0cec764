#if defined(__x86_64__)
#include "kernels/avx2.h"
#include "kernels/table.h"
#pragma clang attribute pop

const kernels kernels_avx2 = KERNELS;
#endif
