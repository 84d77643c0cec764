// What is refused of the options that losses of single channels have (arithmetic 5.6).
#ifndef CLOSS_API_CHECK_CHANNEL_H
#define CLOSS_API_CHECK_CHANNEL_H

#include "api/refuse.h"

// The options of a binary cross entropy, and of a focal loss, beyond those that all activations share; term `i`.
closs_status check_binary_options(const closs_spec *spec, int64_t i, closs_error *error);
closs_status check_focal_options(const closs_spec *spec, int64_t i, closs_error *error);

// A focal loss star, but for its divisor.
closs_status check_focal_star(const closs_spec *spec, int64_t i, closs_error *error);

#endif
