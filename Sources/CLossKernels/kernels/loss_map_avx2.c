#if defined(__x86_64__)
#include "kernels/avx2.h"
#include "kernels/loss_map.h"
#pragma clang attribute pop
#endif
