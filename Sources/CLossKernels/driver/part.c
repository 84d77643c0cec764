#include "driver/part.h"

run part_run(const part *p, int64_t row, int64_t first, int64_t voxels, float *gradient, gradient_store store) {
    const closs_batch *batch = p->batch;
    int64_t sample = row_sample(p, row), channel = row_channel(p, row);
    int64_t in_sample = sample * p->voxels + first;
    int64_t in_classes = (sample * p->plan->shape.classes + channel) * p->voxels + first;
    int64_t in_targets = target_is_dense(batch->target) ? in_classes : in_sample;
    return (run){
        .logits = batch->logits + in_classes,
        .class_stride = p->voxels,
        .channel = (int)channel,
        .target = batch->target,
        .targets = (const char *)batch->targets + (size_t)in_targets * target_bytes(batch->target),
        .mask = batch->mask ? batch->mask + in_sample : 0,
        .weights = batch->weights ? batch->weights + in_sample : 0,
        .maps = batch->maps ? batch->maps + in_classes : 0,
        .gradient = gradient ? gradient + in_classes : 0,
        .store = store,
        .voxels = voxels,
    };
}
