#include "kernels/generic.h"
#include "kernels/loss_map.h"
