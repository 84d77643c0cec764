#include "kernels/generic.h"
#include "kernels/table.h"

const kernels kernels_generic = KERNELS;
