#if defined(__x86_64__)
#include "kernels/avx2.h"
#include "kernels/lovasz.h"
#pragma clang attribute pop

const lovasz_kernels lovasz_kernels_avx2 = LOVASZ_KERNELS;
#endif
