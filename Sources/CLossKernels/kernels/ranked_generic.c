#include "kernels/generic.h"
#include "kernels/ranked.h"

const selection_walks ranked_walks_generic = RANKED_WALKS;
