// What a spec must hold to.
#ifndef CLOSS_API_CHECK_SPEC_H
#define CLOSS_API_CHECK_SPEC_H

#include "api/refuse.h"

closs_status check_spec(const closs_spec *spec, closs_error *error);

#endif
