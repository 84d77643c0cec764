// Weight maps (arithmetic 14): functions of box averages, of the distances to the two nearest cells, and of classes'
// frequencies. Included once for each instruction set.
#ifndef CLOSS_KERNELS_WEIGHTS_H
#define CLOSS_KERNELS_WEIGHTS_H

#include <math.h>
#include <string.h>

#include "kernels/elementary.h"
#include "kernels/exact.h"
#include "kernels/formula.h"
#include "kernels/label.h"
#include "kernels/weights_job.h"

#include "kernels/weights_box.h"
#include "kernels/weights_cells.h"
#include "kernels/weights_classes.h"

#endif
