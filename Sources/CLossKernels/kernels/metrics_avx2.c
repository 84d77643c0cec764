#if defined(__x86_64__)
#include "kernels/avx2.h"
#include "kernels/metrics.h"
#pragma clang attribute pop

const metric_kernels metric_kernels_avx2 = {metric_confusion, metric_thresholds, metric_members, metric_exclude,
                                            metric_surface};
#endif
