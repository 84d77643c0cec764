#if defined(__x86_64__)
#include "kernels/avx512.h"
#include "kernels/weights.h"
#pragma clang attribute pop

const weight_kernels weight_kernels_avx512 = {box_band,      box_scale,    cells_row, cells_block,
                                              cells_weights, class_counts, class_map};
#endif
