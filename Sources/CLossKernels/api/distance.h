// What others need of a distance spec.
#ifndef CLOSS_API_DISTANCE_H
#define CLOSS_API_DISTANCE_H

#include "api/refuse.h"
#include "kernels/distance_job.h"

// Checks a spec, and resolves its extents and metric.
closs_status distance_resolve(const closs_distance_spec *spec, distance_job *job, closs_error *error);

#endif
