#include "driver/part.h"

#include "terms/lovasz.h"

static run plain_run(const part *p, int64_t row, int64_t first, int64_t voxels, void *gradient, gradient_store store) {
    const closs_batch *batch = p->batch;
    int64_t sample = row_sample(p, row), channel = row_channel(p, row);
    int64_t in_sample = sample * p->voxels + first;
    int64_t in_classes = (sample * p->plan->shape.classes + channel) * p->voxels + first;
    int64_t in_targets = target_is_dense(batch->target) ? in_classes : in_sample;
    return (run){
        .logits = (const float *)batch->logits + in_classes,
        .class_stride = p->voxels,
        .channel = (int)channel,
        .target = batch->target,
        .targets = (const char *)batch->targets + (size_t)in_targets * target_bytes(batch->target),
        .mask = batch->mask ? batch->mask + in_sample : 0,
        .weights = batch->weights ? batch->weights + in_sample : 0,
        .maps = batch->maps ? batch->maps + in_classes : 0,
        .gradient = gradient ? (float *)gradient + in_classes : 0,
        .store = store,
        .voxels = voxels,
    };
}

// Where a sample's, and channel's, elements begin in a buffer.
static const void *start_of(const void *buffer, const buffer_layout *b, int64_t sample, int64_t channel) {
    if (!buffer) return 0;
    return (const char *)buffer + (sample * b->sample + channel * b->channel) * (int64_t)b->bytes;
}

static run staged_run(const part *p, int64_t row, int64_t first, int64_t voxels, void *gradient, gradient_store store) {
    const closs_batch *batch = p->batch;
    const run_layout *l = &p->layout;
    int64_t sample = row_sample(p, row), channel = row_channel(p, row);
    int64_t target_channel = target_is_dense(batch->target) ? channel : 0;
    return (run){
        .logits = start_of(batch->logits, &l->logits, sample, channel),
        .channel = (int)channel,
        .target = batch->target,
        .targets = start_of(batch->targets, &l->targets, sample, target_channel),
        .mask = start_of(batch->mask, &l->mask, sample, 0),
        .weights = start_of(batch->weights, &l->weights, sample, 0),
        .maps = start_of(batch->maps, &l->maps, sample, channel),
        .gradient = (float *)start_of(gradient, &l->gradient, sample, channel),
        .store = store,
        .voxels = voxels,
        .layout = l,
        .first = batch->first_voxel + first,
    };
}

static const void *place_in(const void *start, const part *p, const buffer_layout *b, int64_t first) {
    if (!start) return 0;
    return (const char *)start + (p->batch->first_voxel + first - b->origin) * (int64_t)b->bytes;
}

// Without a gradient.
static run run_in_place(const part *p, int64_t row, int64_t first, int64_t voxels) {
    const run_layout *l = &p->layout;
    run at = staged_run(p, row, first, voxels, 0, STORE_PLAIN);
    at.logits = place_in(at.logits, p, &l->logits, first);
    at.class_stride = l->logits.channel;
    at.targets = place_in(at.targets, p, &l->targets, first);
    at.mask = place_in(at.mask, p, &l->mask, first);
    at.weights = place_in(at.weights, p, &l->weights, first);
    at.maps = place_in(at.maps, p, &l->maps, first);
    at.layout = 0;
    at.first = 0;
    return at;
}

// Parts with distance maps, or of a Lovasz term, are of whole samples.
static void point_to_distances(const part *p, int64_t row, int64_t first, run *at) {
    const int64_t voxels = p->plan->shape.voxels;
    if (!p->distance_maps) return;
    at->distance_maps =
        p->distance_maps + (row_sample(p, row) * p->plan->shape.classes + row_channel(p, row)) * voxels + first;
    at->distance_stride = voxels;
    at->distance_term_stride = p->distance_term_stride;
}

static void point_to_slopes(const part *p, int64_t row, int64_t first, run *at) {
    if (!p->lovasz_slopes) return;
    lovasz_layout l = lovasz_layout_of(p->plan);
    at->lovasz_stride = l.class;
    at->lovasz_slopes = p->lovasz_slopes + row_sample(p, row) * l.sample + row_channel(p, row) * l.class + first;
}

run part_run(const part *p, int64_t row, int64_t first, int64_t voxels, void *gradient, gradient_store store) {
    run at = p->rows_in_place && !gradient ? run_in_place(p, row, first, voxels)
             : p->staged                   ? staged_run(p, row, first, voxels, gradient, store)
                                           : plain_run(p, row, first, voxels, gradient, store);
    point_to_distances(p, row, first, &at);
    if (gradient) point_to_slopes(p, row, first, &at);
    return at;
}
