#if defined(__x86_64__)
#include "kernels/avx512.h"
#include "kernels/hausdorff.h"
#pragma clang attribute pop
#endif
