#if defined(__x86_64__)
#include "kernels/avx512.h"
#include "kernels/channel.h"
#pragma clang attribute pop

const walks channel_walks_avx512 = {channel_in_place, channel_totals, channel_gradient, channel_totals_and_gradient};
#endif
