#include "kernels/generic.h"
#include "kernels/metrics.h"

const metric_kernels metric_kernels_generic = {metric_confusion, metric_thresholds, metric_members, metric_exclude,
                                               metric_surface};
