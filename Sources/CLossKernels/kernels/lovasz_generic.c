#include "kernels/generic.h"
#include "kernels/lovasz.h"

const lovasz_kernels lovasz_kernels_generic = LOVASZ_KERNELS;
