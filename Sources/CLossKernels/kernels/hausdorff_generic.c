#include "kernels/generic.h"
#include "kernels/hausdorff.h"
