#if defined(__x86_64__)
#include "kernels/avx2.h"
#include "kernels/distance.h"
#pragma clang attribute pop

const distance_kernels distance_kernels_avx2 = {distance_row, distance_block};
#endif
