#include "kernels/generic.h"
#include "kernels/distance.h"

const distance_kernels distance_kernels_generic = {distance_row, distance_block};
