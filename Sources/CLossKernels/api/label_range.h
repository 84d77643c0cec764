// Which labels a type can hold.
#ifndef CLOSS_API_LABEL_RANGE_H
#define CLOSS_API_LABEL_RANGE_H

#include "api/refuse.h"

// Refuses classes that no voxel of the type could have: they are a mistake, not absent. `of`: what has the type, such as
// "labels"; `classes` NULL: 0 .. count - 1.
closs_status check_classes_exist(closs_target type, const char *of, const int64_t *classes, int count,
                                 closs_error *error);

// The same of one label that a spec's member `name` gives.
closs_status check_label_exists(closs_target type, const char *of, const char *name, int64_t label, closs_error *error);

#endif
