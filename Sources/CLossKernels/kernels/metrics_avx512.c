#if defined(__x86_64__)
#include "kernels/avx512.h"
#include "kernels/metrics.h"
#pragma clang attribute pop

const metric_kernels metric_kernels_avx512 = {metric_confusion, metric_thresholds, metric_members, metric_exclude,
                                              metric_surface};
#endif
