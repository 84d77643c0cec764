// The maps of terms that measure distances, made anew in each call (arithmetic 13).
#ifndef CLOSS_DRIVER_DISTANCE_TERMS_H
#define CLOSS_DRIVER_DISTANCE_TERMS_H

#include "driver/part.h"

// Bytes of the maps and of what making them takes; 0 for plans without such terms.
size_t distance_terms_bytes(const closs_plan *plan);

// Makes the maps of a part, which is of whole samples, in `memory`, and tells the part where they are. What is wrong
// with the part's values is for others to find: here it only makes maps of nothing.
void distance_terms_pass(part *p, void *memory);

#endif
