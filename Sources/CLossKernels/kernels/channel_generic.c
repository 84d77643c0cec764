#include "kernels/generic.h"
#include "kernels/channel.h"

const walks channel_walks_generic = {channel_in_place, channel_totals, channel_gradient, channel_totals_and_gradient};
