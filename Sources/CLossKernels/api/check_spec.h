// What a spec must hold to.
#ifndef CLOSS_API_CHECK_SPEC_H
#define CLOSS_API_CHECK_SPEC_H

#include "api/distance_plan.h"
#include "api/refuse.h"

// `maps`: [MOST_DISTANCE_TERMS], gets what terms that measure distances measure, in their order.
closs_status check_spec(const closs_spec *spec, distance_plan *maps, closs_error *error);

// Options of the term with this number: what they are called in a message is `name`.
closs_status check_number(double value, double least, double most, int64_t term, const char *name, closs_error *error);

// `first` is the first class that takes part: the weights from there on may not all be 0.
closs_status check_weights(const float *weights, size_t count, int64_t classes, int64_t first, int64_t term,
                           const char *name, int all_zero_allowed, closs_error *error);

// Refuses bits of classes that there are not.
closs_status check_named_classes(const uint64_t *named, int64_t classes, int64_t term, closs_error *error);

closs_status check_region(const closs_spec *spec, int64_t i, closs_error *error);
closs_status check_lovasz(const closs_spec *spec, int64_t i, closs_error *error);

// A term that selects: balanced, top-k, OHEM or balanced L1.
closs_status check_selection(const closs_spec *spec, int64_t i, closs_error *error);

closs_status check_divisor(closs_divisor divisor, double value, closs_divisor last, int64_t term, closs_error *error);

// Refuses a softmax.
closs_status needs_channels(const closs_spec *spec, int64_t i, const char *name, closs_error *error);

#endif
