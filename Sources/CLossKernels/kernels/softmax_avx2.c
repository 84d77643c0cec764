#if defined(__x86_64__)
#include "kernels/avx2.h"
#include "kernels/softmax_walks.h"
#pragma clang attribute pop

const walks softmax_walks_avx2 = {softmax_in_place, softmax_totals, softmax_gradient, softmax_totals_and_gradient};
#endif
