// Which value it was: the slow look after a pass has met something that must be refused.
#ifndef CLOSS_API_DIAGNOSE_H
#define CLOSS_API_DIAGNOSE_H

#include "api/refuse.h"
#include "driver/part.h"
#include "driver/sweep.h"

// Says what is wrong in the lowest block that has a fault: by voxel, then target, weight, input by class, and after the
// voxels the sum of their losses.
closs_status diagnose(const part *p, const sweep_fault *where, closs_error *error);

#endif
