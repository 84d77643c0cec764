#include "kernels/generic.h"
#include "kernels/weights.h"

const weight_kernels weight_kernels_generic = {box_band,      box_scale,    cells_row, cells_block,
                                               cells_weights, class_counts, class_map};
