// How a batch's buffers lie, and whether they may.
#ifndef CLOSS_API_CHECK_VIEWS_H
#define CLOSS_API_CHECK_VIEWS_H

#include "api/refuse.h"
#include "driver/part.h"

// Works out the part's layouts from the batch's extents, views and types.
closs_status check_views(part *p, const closs_gradient_buffer *gradient, closs_error *error);

#endif
