#include "kernels/generic.h"
#include "kernels/softmax_walks.h"

const walks softmax_walks_generic = {softmax_in_place, softmax_totals, softmax_gradient, softmax_totals_and_gradient};
