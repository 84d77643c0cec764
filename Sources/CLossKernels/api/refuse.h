// How a call is refused: a status, where, and a sentence.
#ifndef CLOSS_API_REFUSE_H
#define CLOSS_API_REFUSE_H

#include "include/closs.h"
#include "names.h"

// Fills in `error`, if there is one, and gives back the status.
closs_status refuse(closs_error *error, closs_status status, int64_t index, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// An instruction set that this machine or build lacks.
closs_status refuse_isa(closs_isa isa, closs_error *error);

// An activation that is not of channels: softmax, or none at all.
closs_status refuse_activation(closs_activation activation, closs_error *error);

// CLOSS_OK, and an error that says so.
closs_status accepted(closs_error *error);

#endif
