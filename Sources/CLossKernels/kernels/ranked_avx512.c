#if defined(__x86_64__)
#include "kernels/avx512.h"
#include "kernels/ranked.h"
#pragma clang attribute pop

const selection_walks ranked_walks_avx512 = RANKED_WALKS;
#endif
