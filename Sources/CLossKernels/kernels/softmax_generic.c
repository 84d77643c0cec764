#include "kernels/generic.h"
#include "kernels/softmax.h"

const walks softmax_walks_generic = {softmax_totals, softmax_gradient, softmax_totals_and_gradient};
