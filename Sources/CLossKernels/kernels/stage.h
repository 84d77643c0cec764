// Buffers that do not lie as the kernels read them (arithmetic 11): a piece of a run is copied into planar floats, the
// kernels walk that, and its gradient is copied back. Only what the view holds is read and written.
#ifndef CLOSS_KERNELS_STAGE_H
#define CLOSS_KERNELS_STAGE_H

#include "kernels/interleaved.h"

// ------------------------------------------------------------------------------------------- values of a view ----

static inline void gather_strided(float *to, const void *from, const buffer_layout *b, int64_t voxels) {
    if (b->column == 1) {
        widen(to, from, b->type, voxels);
        return;
    }
    for (int64_t v = 0; v < voxels; v++) {
        const char *at = element(from, b->bytes, v * b->column);
        if (b->type == CLOSS_FLOAT32)
            memcpy(to + v, at, sizeof *to);
        else
            to[v] = float_of_bits16(at, b->type);
    }
}

static inline void scatter_strided(void *to, const buffer_layout *b, const float *from, int64_t voxels, int streaming) {
    if (b->column == 1) {
        narrow(to, b->type, from, voxels, streaming);
        return;
    }
    float values[BLOCK_VOXELS];
    char narrowed[BLOCK_VOXELS * sizeof(float)];
    for (int64_t v = 0; v < voxels; v += BLOCK_VOXELS) {
        int64_t here = voxels - v < BLOCK_VOXELS ? voxels - v : BLOCK_VOXELS;
        memcpy(values, from + v, (size_t)here * sizeof *from);
        narrow(narrowed, b->type, values, here, 0);
        for (int64_t i = 0; i < here; i++)
            memcpy((char *)element(to, b->bytes, (v + i) * b->column), narrowed + i * (int64_t)b->bytes, b->bytes);
    }
}

// The voxels from `first` on as rows of classes, `row` apart.
static inline void gather_values(float *to, int64_t row, const void *base, const run_layout *l, const buffer_layout *b,
                                 int classes, int64_t first, int64_t voxels) {
    for (int64_t done = 0, here; done < voxels; done += here) {
        int64_t offset;
        here = layout_stretch(l, b, first + done, voxels - done, &offset);
        if (classes > 1 && b->channel == 1) {
            gather_interleaved(to + done, row, element(base, b->bytes, offset), b, classes, here);
            continue;
        }
        for (int c = 0; c < classes; c++)
            gather_strided(to + c * row + done, element(base, b->bytes, offset + c * b->channel), b, here);
    }
}

static inline void scatter_values(void *base, const run_layout *l, const buffer_layout *b, const float *from,
                                  int64_t row, int classes, int64_t first, int64_t voxels, int streaming) {
    for (int64_t done = 0, here; done < voxels; done += here) {
        int64_t offset;
        here = layout_stretch(l, b, first + done, voxels - done, &offset);
        if (classes > 1 && b->channel == 1) {
            scatter_interleaved((char *)element(base, b->bytes, offset), b, from + done, row, classes, here, streaming);
            continue;
        }
        for (int c = 0; c < classes; c++)
            scatter_strided((char *)element(base, b->bytes, offset + c * b->channel), b, from + c * row + done, here,
                            streaming);
    }
}

#define GATHER_ELEMENTS(type)                                                                                          \
    for (int64_t v = 0; v < here; v++) memcpy((type *)into + v, (const type *)from + v * b->column, sizeof(type))

// Elements of another kind (labels, masks, ...) as they are, one row for each class.
static inline void gather_elements(void *to, int64_t row, const void *base, const run_layout *l, const buffer_layout *b,
                                   int classes, int64_t first, int64_t voxels) {
    for (int64_t done = 0, here; done < voxels; done += here) {
        int64_t offset;
        here = layout_stretch(l, b, first + done, voxels - done, &offset);
        for (int c = 0; c < classes; c++) {
            const char *from = element(base, b->bytes, offset + c * b->channel);
            char *into = (char *)to + (c * row + done) * (int64_t)b->bytes;
            if (b->column == 1) {
                memcpy(into, from, (size_t)here * b->bytes);
                continue;
            }
            switch (b->bytes) {
            case 1: GATHER_ELEMENTS(uint8_t); break;
            case 2: GATHER_ELEMENTS(uint16_t); break;
            case 4: GATHER_ELEMENTS(uint32_t); break;
            default: GATHER_ELEMENTS(uint64_t);
            }
        }
    }
}

// ------------------------------------------------------------------------------------------------------ pieces ----

// Of a softmax's run: so few classes that, where they stand side by side, each block is taken apart in the nearest
// cache.
enum { CLASSES_TAKEN_APART = 32 };

// Room for one piece.
typedef struct stage {
    float *logits, *gradient; // [classes][row]
    void *targets;            // [target rows][row], of up to 8 bytes
    uint8_t *mask;
    float *weights, *maps;
    int64_t row;
    int classes, target_rows;
} stage;

// Whether a buffer's voxels stand side by side, as the kernels read them.
LANES_INLINE int is_straight(const buffer_layout *b) { return b->linear && b->column == 1; }

// Logits and gradient that can stay where they are: floats, class by class, both alike.
LANES_INLINE int values_stay(const run *whole, const stage *s) {
    const run_layout *l = whole->layout;
    const buffer_layout *x = &l->logits, *y = &l->gradient, *t = &l->targets, *m = &l->maps;
    int stays = x->type == CLOSS_FLOAT32 && is_straight(x);
    if (whole->gradient) stays &= y->type == CLOSS_FLOAT32 && is_straight(y) && y->channel == x->channel;
    if (s->classes > 1 && whole->maps) stays &= is_straight(m) && m->channel == x->channel;
    if (s->target_rows > 1) stays &= is_straight(t) && t->channel == x->channel;
    return stays;
}

LANES_INLINE const void *straight_at(const void *base, const run_layout *l, const buffer_layout *b, int64_t first) {
    int64_t offset;
    layout_stretch(l, b, first, 1, &offset);
    return element(base, b->bytes, offset);
}

// The piece of a run that begins `offset` voxels on, as a run that kernels can walk.
static inline run staged_piece(const run *whole, int64_t offset, int64_t voxels, const stage *s) {
    const run_layout *l = whole->layout;
    int64_t first = whole->first + offset;
    int stays = values_stay(whole, s);
    run piece = *whole;
    piece.layout = 0;
    piece.first = 0;
    piece.voxels = voxels;
    piece.distance_maps = distances_from(whole, offset);
    if (whole->lovasz_slopes) piece.lovasz_slopes += offset;
    if (stays) {
        piece.class_stride = l->logits.channel;
        piece.logits = straight_at(whole->logits, l, &l->logits, first);
        if (whole->gradient) piece.gradient = (float *)straight_at(whole->gradient, l, &l->gradient, first);
        uintptr_t lines = (uintptr_t)piece.gradient | (uintptr_t)(piece.class_stride * (int64_t)sizeof(float));
        if (whole->store == STORE_STREAMING && lines % 64) piece.store = STORE_PLAIN;
    } else {
        piece.class_stride = s->row;
        gather_values(s->logits, s->row, whole->logits, l, &l->logits, s->classes, first, voxels);
        piece.logits = s->logits;
        if (whole->gradient) {
            piece.gradient = s->gradient;
            if (whole->store == STORE_ADD)
                gather_values(s->gradient, s->row, whole->gradient, l, &l->gradient, s->classes, first, voxels);
            else
                piece.store = STORE_PLAIN;
        }
    }
    if (is_straight(&l->targets) && (stays || s->target_rows == 1)) {
        piece.targets = straight_at(whole->targets, l, &l->targets, first);
    } else {
        gather_elements(s->targets, s->row, whole->targets, l, &l->targets, s->target_rows, first, voxels);
        piece.targets = s->targets;
    }
    if (whole->mask && is_straight(&l->mask)) {
        piece.mask = straight_at(whole->mask, l, &l->mask, first);
    } else if (whole->mask) {
        gather_elements(s->mask, s->row, whole->mask, l, &l->mask, 1, first, voxels);
        piece.mask = s->mask;
    }
    if (whole->weights && is_straight(&l->weights)) {
        piece.weights = straight_at(whole->weights, l, &l->weights, first);
    } else if (whole->weights) {
        gather_elements(s->weights, s->row, whole->weights, l, &l->weights, 1, first, voxels);
        piece.weights = s->weights;
    }
    if (whole->maps && is_straight(&l->maps) && (stays || s->classes == 1)) {
        piece.maps = straight_at(whole->maps, l, &l->maps, first);
    } else if (whole->maps) {
        gather_elements(s->maps, s->row, whole->maps, l, &l->maps, s->classes, first, voxels);
        piece.maps = s->maps;
    }
    return piece;
}

// Takes a piece's gradient to where it belongs.
static inline void unstage_piece(const run *whole, const run *piece, int64_t offset, const stage *s) {
    if (!whole->gradient || piece->gradient != s->gradient) return;
    const run_layout *l = whole->layout;
    scatter_values(whole->gradient, l, &l->gradient, s->gradient, s->row, s->classes, whole->first + offset,
                   piece->voxels, whole->store == STORE_STREAMING);
}

// Walks a run in pieces of at most `most` voxels (a multiple of the block), each where kernels can read it; a run that
// already is such is one piece. A gradient is taken to its place after the body. Rows are a cache line longer than a
// piece: at a power of two apart, rows of many classes would all fall into the same few lines of the cache.
#define FOR_EACH_PIECE(whole, piece, class_count, most, ...)                                                           \
    do {                                                                                                               \
        const run *whole_ = (whole);                                                                                   \
        const int64_t row_ = whole_->layout ? (most) + TREE_LANES : 1,                                                 \
                      values_ = whole_->layout ? row_ * (class_count) : 1;                                             \
        const int target_rows_ = (class_count) > 1 && target_is_dense(whole_->target) ? (class_count) : 1;             \
        float stage_logits_[values_], stage_gradient_[whole_->gradient ? values_ : 1];                                 \
        float stage_weights_[whole_->weights ? row_ : 1], stage_maps_[whole_->maps ? values_ : 1];                     \
        uint64_t stage_targets_[(row_ * target_rows_ * (int64_t)target_bytes(whole_->target) + 7) / 8];                \
        uint8_t stage_mask_[whole_->mask ? row_ : 1];                                                                  \
        const stage stage_ = {                                                                                         \
            stage_logits_, stage_gradient_, stage_targets_, stage_mask_, stage_weights_, stage_maps_,                  \
            row_,          (class_count),   target_rows_};                                                             \
        const int64_t step_ = whole_->layout ? (most) : whole_->voxels;                                                \
        for (int64_t piece_offset_ = 0; piece_offset_ < whole_->voxels; piece_offset_ += step_) {                      \
            int64_t left_ = whole_->voxels - piece_offset_;                                                            \
            run piece = whole_->layout ? staged_piece(whole_, piece_offset_, left_ < step_ ? left_ : step_, &stage_)   \
                                       : *whole_;                                                                      \
            __VA_ARGS__;                                                                                               \
            if (whole_->layout) unstage_piece(whole_, &piece, piece_offset_, &stage_);                                 \
        }                                                                                                              \
    } while (0)

#endif
