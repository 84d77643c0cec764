#if defined(__x86_64__)
#include "kernels/avx2.h"
#include "kernels/ranked.h"
#pragma clang attribute pop

const selection_walks ranked_walks_avx2 = RANKED_WALKS;
#endif
