#include "views.h"

#include <string.h>

#include "memory.h"

static closs_view make_view(int kind, const closs_extents *e, int64_t channels) {
    const int64_t most = channels ? channels : 1;
    closs_view v = {0};
    switch (kind) {
    case CHANNELS_LAST:
        v.column = most;
        v.row = e->columns * v.column;
        v.plane = e->rows * v.row;
        v.channel = 1;
        v.sample = e->planes * v.plane;
        break;
    case CROP:
        v.column = 1;
        v.row = e->columns + 3;
        v.plane = (e->rows + 1) * v.row + 5;
        v.channel = e->planes * v.plane;
        v.sample = most * v.channel + 1;
        break;
    case EVERY_SECOND:
        v.column = 2;
        v.row = 2 * e->columns * v.column;
        v.plane = e->rows * v.row;
        v.channel = e->planes * v.plane;
        v.sample = most * v.channel;
        break;
    default: break;
    }
    if (!channels) v.channel = 0;
    return v;
}

static size_t place(const laid_buffer *b, const problem *p, int64_t channels, int64_t sample, int64_t channel,
                    int64_t voxel) {
    const closs_extents *e = &p->spec.extents;
    const closs_view *v = &b->view;
    if (!v->column) return (size_t)((sample * channels + channel) * p->spec.shape.voxels + voxel);
    int64_t column = voxel % e->columns, row = voxel / e->columns % e->rows, plane = voxel / e->columns / e->rows;
    return (size_t)(sample * v->sample + channel * v->channel + plane * v->plane + row * v->row + column * v->column);
}

void copy_elements(const laid_buffer *b, char *contiguous, const problem *p, int64_t channels, int back) {
    for (int64_t s = 0; s < p->spec.shape.samples; s++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t v = 0; v < p->spec.shape.voxels; v++, contiguous += b->size) {
                char *laid = b->values + place(b, p, channels, s, c, v) * b->size;
                memcpy(back ? contiguous : laid, back ? laid : contiguous, b->size);
            }
}

laid_buffer lay_out(const void *contiguous, size_t size, const problem *p, int64_t channels, int kind) {
    const closs_shape *shape = &p->spec.shape;
    const int64_t most = channels ? channels : 1;
    laid_buffer b = {.view = make_view(kind, &p->spec.extents, channels), .size = size};
    if (!contiguous) return (laid_buffer){0};
    b.count = place(&b, p, most, shape->samples - 1, most - 1, shape->voxels - 1) + 1;
    b.values = allocate(b.count, size);
    memset(b.values, GAP, b.count * size);
    copy_elements(&b, (char *)contiguous, p, most, 0);
    return b;
}
