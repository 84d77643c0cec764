#if defined(__x86_64__)
#include "kernels/avx2.h"
#include "kernels/weights.h"
#pragma clang attribute pop

const weight_kernels weight_kernels_avx2 = {box_band,      box_scale,    cells_row, cells_block,
                                            cells_weights, class_counts, class_map};
#endif
