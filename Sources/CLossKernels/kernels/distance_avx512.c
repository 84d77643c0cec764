#if defined(__x86_64__)
#include "kernels/avx512.h"
#include "kernels/distance.h"
#pragma clang attribute pop

const distance_kernels distance_kernels_avx512 = {distance_row, distance_block};
#endif
