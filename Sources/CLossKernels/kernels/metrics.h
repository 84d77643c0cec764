// Counting for metrics (arithmetic 15). Counts are whole numbers, so lanes may be as many as a register has. Included
// once for each instruction set.
#ifndef CLOSS_KERNELS_METRICS_H
#define CLOSS_KERNELS_METRICS_H

#include "kernels/metric_job.h"
#include "kernels/stage.h"

// What a voxel is that has no class, because it does not count, or that should have one, in a chunk.
enum { NO_CLASS = 0xffff, BAD_CLASS = 0xfffe };

// What a voxel counts for at a threshold: bits of its code.
enum { IN_PLAY = 1, IS_POSITIVE = 2, BAD_CODE = 4 };

// ------------------------------------------------------------------------------------------------------ labels ----

// The largest label below a limit that a type holds.
LANES_INLINE int64_t largest_label(int64_t limit, size_t bytes) {
    return bytes == 1 && limit > UINT8_MAX ? UINT8_MAX : limit - 1;
}

// Loops over labels of one type, of which the compiler makes vectors: nothing in them but selections.
#define LABEL_LOOPS(type, unsigned_type, name)                                                                         \
    LANES_INLINE void name##_classes(const void *from, int64_t limit, int has_ignore, int64_t ignored, int64_t voxels, \
                                     uint16_t *restrict classes) {                                                     \
        const unsigned_type *restrict labels = from;                                                                   \
        const unsigned_type largest = (unsigned_type)largest_label(limit, sizeof(type));                               \
        const unsigned_type ignore = (unsigned_type)ignored;                                                           \
        if (has_ignore && (int64_t)(type)ignored == ignored) {                                                         \
            for (int64_t i = 0; i < voxels; i++) {                                                                     \
                unsigned_type here = labels[i];                                                                        \
                uint16_t known = here > largest ? BAD_CLASS : (uint16_t)here;                                          \
                classes[i] = here == ignore ? NO_CLASS : known;                                                        \
            }                                                                                                          \
        } else {                                                                                                       \
            for (int64_t i = 0; i < voxels; i++) classes[i] = labels[i] > largest ? BAD_CLASS : (uint16_t)labels[i];   \
        }                                                                                                              \
    }                                                                                                                  \
    LANES_INLINE void name##_codes(const metric_labels *from, int64_t target, int64_t voxels,                          \
                                   uint8_t *restrict codes) {                                                          \
        const unsigned_type *restrict labels = from->labels;                                                           \
        const unsigned_type largest = (unsigned_type)largest_label(from->limit, sizeof(type));                         \
        const unsigned_type ignore = (unsigned_type)from->ignore, positive = (unsigned_type)target;                    \
        const int has_ignore = from->has_ignore && (int64_t)(type)from->ignore == from->ignore;                        \
        const uint8_t ignored = has_ignore ? 0 : 0xff;                                                                 \
        const uint8_t hit = (int64_t)positive == target ? IN_PLAY | IS_POSITIVE : IN_PLAY;                             \
        for (int64_t i = 0; i < voxels; i++) {                                                                         \
            unsigned_type here = labels[i];                                                                            \
            uint8_t code = here > largest ? BAD_CODE : here == positive ? hit : IN_PLAY;                               \
            codes[i] = here == ignore ? code & ignored : code;                                                         \
        }                                                                                                              \
    }                                                                                                                  \
    LANES_INLINE int name##_members(const void *from, int64_t label, int64_t voxels, uint8_t *restrict members) {      \
        const type *restrict labels = from;                                                                            \
        uint8_t any = 0;                                                                                               \
        memset(members, 0, (size_t)voxels);                                                                            \
        if ((int64_t)(type)label != label) return 0;                                                                   \
        for (int64_t i = 0; i < voxels; i++) members[i] = labels[i] == (type)label;                                    \
        for (int64_t i = 0; i < voxels; i++) any |= members[i];                                                        \
        return any;                                                                                                    \
    }                                                                                                                  \
    LANES_INLINE void name##_exclude(const void *from, int64_t ignored, int64_t voxels, uint8_t *restrict members,     \
                                     uint8_t *restrict others) {                                                       \
        const type *restrict labels = from;                                                                            \
        const type ignore = (type)ignored;                                                                             \
        if ((int64_t)ignore != ignored) return;                                                                        \
        for (int64_t i = 0; i < voxels; i++) {                                                                         \
            members[i] &= labels[i] != ignore;                                                                         \
            others[i] &= labels[i] != ignore;                                                                          \
        }                                                                                                              \
    }

LABEL_LOOPS(uint8_t, uint8_t, u8)
LABEL_LOOPS(uint16_t, uint16_t, u16)
LABEL_LOOPS(int32_t, uint32_t, i32)
LABEL_LOOPS(int64_t, uint64_t, i64)

#define FOR_TYPE(type, call)                                                                                           \
    switch (type) {                                                                                                    \
    case CLOSS_LABELS_U16: u16_##call; break;                                                                          \
    case CLOSS_LABELS_I32: i32_##call; break;                                                                          \
    case CLOSS_LABELS_I64: i64_##call; break;                                                                          \
    default: u8_##call;                                                                                                \
    }

// Up to the next whole vector there is no voxel.
LANES_OUTLINED void classes_of(const metric_labels *from, int64_t voxels, uint16_t *classes) {
    const uint8_t *mask = from->mask;
    FOR_TYPE(from->type, classes(from->labels, from->limit, from->has_ignore, from->ignore, voxels, classes))
    for (int64_t i = 0; mask && i < voxels; i++) classes[i] |= mask[i] ? 0 : NO_CLASS;
    for (int64_t i = voxels; i % LANES; i++) classes[i] = NO_CLASS;
}

LANES_OUTLINED void predicted_of(closs_target type, const void *labels, int64_t limit, int64_t voxels,
                                 uint16_t *predicted) {
    FOR_TYPE(type, classes(labels, limit, 0, 0, voxels, predicted))
    for (int64_t i = voxels; i % LANES; i++) predicted[i] = 0;
}

LANES_INLINE void float_codes(const metric_labels *from, int64_t voxels, uint8_t *restrict codes) {
    const float *restrict targets = from->labels;
    for (int64_t i = 0; i < voxels; i++)
        codes[i] = targets[i] == 1 ? IN_PLAY | IS_POSITIVE : targets[i] == 0 ? IN_PLAY : BAD_CODE;
}

LANES_OUTLINED void codes_of(const metric_labels *from, int64_t positive, int64_t voxels, uint8_t *codes) {
    const uint8_t *mask = from->mask;
    if (from->type == CLOSS_DENSE_F32)
        float_codes(from, voxels, codes);
    else
        FOR_TYPE(from->type, codes(from, positive, voxels, codes))
    for (int64_t i = 0; mask && i < voxels; i++) codes[i] &= mask[i] ? 0xff : 0;
    for (int64_t i = voxels; i % LANES; i++) codes[i] = 0;
}

static int metric_members(closs_target type, const void *labels, int64_t label, int64_t voxels, uint8_t *members) {
    switch (type) {
    case CLOSS_LABELS_U16: return u16_members(labels, label, voxels, members);
    case CLOSS_LABELS_I32: return i32_members(labels, label, voxels, members);
    case CLOSS_LABELS_I64: return i64_members(labels, label, voxels, members);
    default: return u8_members(labels, label, voxels, members);
    }
}

static void metric_exclude(const metric_labels *from, int64_t voxels, uint8_t *members, uint8_t *others) {
    const uint8_t *mask = from->mask;
    if (from->has_ignore) FOR_TYPE(from->type, exclude(from->labels, from->ignore, voxels, members, others))
    for (int64_t i = 0; mask && i < voxels; i++) {
        members[i] &= mask[i] != 0;
        others[i] &= mask[i] != 0;
    }
}

// --------------------------------------------------------------------------------------------------- confusion ----

LANES_INLINE vf32 some_floats(const void *from, closs_float type, int64_t at, int64_t count) {
    const char *start = (const char *)from + at * (int64_t)float_bytes(type);
    if (count >= LANES) return load_floats(start, type);
    float last[LANES] = {0};
    if (type == CLOSS_FLOAT32)
        memcpy(last, start, (size_t)count * sizeof *last);
    else
        widen_as(last, (const uint16_t *)start, type, count);
    return f32_load(last);
}

// The first class whose logit no other exceeds.
LANES_INLINE int largest_of(const confusion_chunk *c, closs_float type, uint16_t *predicted) {
    vi32 most = {0};
    for (int64_t i = 0; i < c->voxels; i += LANES) {
        const int64_t count = c->voxels - i;
        vf32 best = some_floats(c->predictions, type, i, count);
        vi32 at = {0};
        most = __builtin_elementwise_max(most, bits_of(best) & 0x7fffffff);
        for (int32_t other = 1; other < c->classes; other++) {
            vf32 here = some_floats(c->predictions, type, other * c->class_stride + i, count);
            vi32 better = here > best;
            most = __builtin_elementwise_max(most, bits_of(here) & 0x7fffffff);
            best = f32_select(better, here, best);
            at = i32_select(better, i32_splat(other), at);
        }
        vu16 narrow = __builtin_convertvector(at, vu16);
        memcpy(predicted + i, &narrow, sizeof narrow);
    }
    return __builtin_reduce_max(most) > 0x7f7fffff;
}

LANES_OUTLINED int largest_of_floats(const confusion_chunk *c, uint16_t *predicted) {
    return largest_of(c, CLOSS_FLOAT32, predicted);
}

LANES_OUTLINED int largest_of_halves(const confusion_chunk *c, uint16_t *predicted) {
    return largest_of(c, c->type, predicted);
}

// Labels that are no classes, of voxels that count.
LANES_INLINE vu16 bad_classes(vu16 of, vu16 to) {
    return (vu16)(of == BAD_CLASS) | ((vu16)(to == BAD_CLASS) & (vu16)(of != NO_CLASS));
}

// Few cells: each is compared with all voxels.
LANES_OUTLINED fault count_few(const uint16_t *classes, const uint16_t *predicted, int64_t voxels, int count,
                               uint32_t *table) {
    vu16 bad = {0};
    for (int64_t i = 0; i < voxels; i += LANES) {
        vu16 of = *(const vu16_anywhere *)(classes + i), to = *(const vu16_anywhere *)(predicted + i);
        bad |= bad_classes(of, to);
        vu8 here = __builtin_convertvector((of * (uint16_t)count + to) | (vu16)(of == NO_CLASS), vu8);
        uint64_t same = byte_bits((vu8)(here == here[0]));
        if (!~same) {
            if (here[0] < count * count) table[here[0]] += LANES;
            continue;
        }
        for (uint8_t cell = 0; cell < count * count; cell++)
            table[cell] += (uint32_t)__builtin_popcountll(byte_bits((vu8)(here == cell)));
    }
    return __builtin_reduce_or(bad) ? FAULT_FOUND : FAULT_NONE;
}

LANES_OUTLINED fault find_bad(const uint16_t *classes, const uint16_t *predicted, int64_t voxels) {
    vu16 bad = {0};
    for (int64_t i = 0; i < voxels; i += LANES)
        bad |= bad_classes(*(const vu16_anywhere *)(classes + i), *(const vu16_anywhere *)(predicted + i));
    return __builtin_reduce_or(bad) ? FAULT_FOUND : FAULT_NONE;
}

LANES_OUTLINED void count_in_memory(const uint16_t *classes, const uint16_t *predicted, int64_t voxels, int count,
                                    uint32_t *table) {
    const uint32_t next = confusion_copies(count) == 4 ? (uint32_t)(count * count) : 0;
    for (int64_t i = 0; i < voxels; i += LANES) {
        vu16 of = *(const vu16_anywhere *)(classes + i), to = *(const vu16_anywhere *)(predicted + i);
        uint64_t same = byte_bits(__builtin_convertvector((vu16)(of == of[0]) & (vu16)(to == to[0]), vu8));
        if (!~same) {
            if (of[0] != NO_CLASS) table[of[0] * (uint32_t)count + to[0]] += LANES;
            continue;
        }
        for (int64_t j = i; j < i + LANES; j++)
            if (classes[j] != NO_CLASS) table[(j & 3) * next + classes[j] * (uint32_t)count + predicted[j]]++;
    }
}

static fault metric_confusion(const confusion_chunk *c, uint32_t *table) {
    uint16_t classes[METRIC_CHUNK], predicted[METRIC_CHUNK];
    classes_of(&c->targets, c->voxels, classes);
    if (c->prediction == CLOSS_PREDICTED_LABELS)
        predicted_of(c->predicted, c->predictions, c->classes, c->voxels, predicted);
    else if (c->type == CLOSS_FLOAT32 ? largest_of_floats(c, predicted) : largest_of_halves(c, predicted))
        return FAULT_FOUND;
    if (c->classes * c->classes <= FEW_CELLS) return count_few(classes, predicted, c->voxels, c->classes, table);
    if (find_bad(classes, predicted, c->voxels) != FAULT_NONE) return FAULT_FOUND;
    count_in_memory(classes, predicted, c->voxels, c->classes, table);
    return FAULT_NONE;
}

// -------------------------------------------------------------------------------------------------- thresholds ----

// As many lanes as a register has: sums of counts are the same whatever their number.
#if CLOSS_HAS_WIDE_SHUFFLES
enum { COUNT_LANES = 16, COUNT_GROUP = 10 };
#elif CLOSS_HAS_HALF && defined(__x86_64__)
enum { COUNT_LANES = 8, COUNT_GROUP = 5 };
#else
enum { COUNT_LANES = 4, COUNT_GROUP = 5 };
#endif

typedef VECTOR(float, COUNT_LANES) count_f32;
typedef VECTOR(int32_t, COUNT_LANES) count_i32;
typedef VECTOR(uint8_t, COUNT_LANES) count_u8;
typedef ANYWHERE(count_f32) count_f32_anywhere;
typedef ANYWHERE(count_u8) count_u8_anywhere;

// Each lane holds two counts, in its lower and upper half: of voxels in play, and of positives among them. A chunk has
// too few voxels for either to overflow.
_Static_assert(METRIC_CHUNK / COUNT_LANES < 1 << 16, "half a lane holds the count of a chunk");

LANES_INLINE void count_group(const float *values, const uint8_t *codes, int64_t voxels, const float *thresholds,
                              const int group, int is_first, int64_t *predicted, int64_t *hits) {
    count_i32 sums[COUNT_GROUP];
#pragma clang loop unroll(full)
    for (int k = 0; k < group; k++) sums[k] = (count_i32){0};
    for (int64_t i = 0; i < voxels; i += COUNT_LANES) {
        // The next chunk's values are on their way while these are compared.
        if (is_first) __builtin_prefetch(values + METRIC_CHUNK + i);
        count_f32 here = *(const count_f32_anywhere *)(values + i);
        count_i32 code = __builtin_convertvector(*(const count_u8_anywhere *)(codes + i), count_i32);
        count_i32 adds = (code | code << 15) & 0x10001;
#pragma clang loop unroll(full)
        for (int k = 0; k < group; k++) sums[k] += (count_i32)(here > thresholds[k]) & adds;
    }
#pragma clang loop unroll(full)
    for (int k = 0; k < group; k++) {
        predicted[k] += __builtin_reduce_add(sums[k] & 0xffff);
        hits[k] += __builtin_reduce_add((count_i32)((sums[k] >> 16) & 0xffff));
    }
}

LANES_OUTLINED void count_groups(const float *values, const uint8_t *codes, int64_t voxels, const threshold_chunk *c,
                                 threshold_sums *sums) {
    int k = 0;
    for (; k + COUNT_GROUP <= c->count; k += COUNT_GROUP)
        count_group(values, codes, voxels, c->thresholds + k, COUNT_GROUP, k == 0, sums->predicted + k, sums->hits + k);
    for (; k + 2 <= c->count; k += 2)
        count_group(values, codes, voxels, c->thresholds + k, 2, k == 0, sums->predicted + k, sums->hits + k);
    for (; k < c->count; k++)
        count_group(values, codes, voxels, c->thresholds + k, 1, k == 0, sums->predicted + k, sums->hits + k);
}

// The largest bits, zeros' signs aside, with the sign where there may be none.
LANES_OUTLINED uint32_t largest_bits(const float *values, int64_t voxels, int keep_sign) {
    const uint32_t kept = keep_sign ? UINT32_MAX : 0x7fffffff;
    uint32_t most = 0;
    for (int64_t i = 0; i < voxels; i++) {
        float here = values[i] + 0.0f;
        uint32_t bits;
        memcpy(&bits, &here, sizeof bits);
        bits &= kept;
        most = bits > most ? bits : most;
    }
    return most;
}

LANES_OUTLINED fault count_codes(const uint8_t *codes, int64_t voxels, threshold_sums *sums) {
    uint64_t bad = 0;
    for (int64_t i = 0; i < voxels; i += LANES) {
        vu8 here = *(const vu8_anywhere *)(codes + i);
        sums->valid += __builtin_popcountll(byte_bits((vu8)(here != 0)));
        sums->positives += __builtin_popcountll(byte_bits((vu8)(here == (IN_PLAY | IS_POSITIVE))));
        bad |= byte_bits((vu8)(here == BAD_CODE));
    }
    return bad ? FAULT_FOUND : FAULT_NONE;
}

static fault metric_thresholds(const threshold_chunk *c, threshold_sums *sums) {
    uint8_t codes[METRIC_CHUNK];
    float room[METRIC_CHUNK];
    const int64_t whole = (c->voxels + LANES - 1) / LANES * LANES;
    const float *values = c->values;
    codes_of(&c->targets, c->positive, c->voxels, codes);
    if (c->type != CLOSS_FLOAT32 || whole != c->voxels) {
        if (c->type == CLOSS_FLOAT32)
            memcpy(room, values, (size_t)c->voxels * sizeof *room);
        else
            widen_as(room, c->values, c->type, c->voxels);
        for (int64_t i = c->voxels; i < whole; i++) room[i] = 0;
        values = room;
    }
    if (largest_bits(values, c->voxels, c->keep_sign) > c->largest) return FAULT_FOUND;
    if (count_codes(codes, whole, sums) != FAULT_NONE) return FAULT_FOUND;
    count_groups(values, codes, whole, c, sums);
    return FAULT_NONE;
}

// ---------------------------------------------------------------------------------------------------- surfaces ----

static void metric_surface(const surface_row *row, uint8_t *surface) {
    const uint8_t *here = row->here, *above = row->above, *below = row->below, *before = row->before,
                  *behind = row->behind;
    const int64_t n = row->columns;
    if (!row->has_sides) {
        for (int64_t i = 0; i < n; i++) surface[i] = here[i] & ~(above[i] & below[i] & before[i] & behind[i]);
        return;
    }
    surface[0] = here[0];
    for (int64_t i = 1; i + 1 < n; i++)
        surface[i] = here[i] & ~(here[i - 1] & here[i + 1] & above[i] & below[i] & before[i] & behind[i]);
    surface[n - 1] = here[n - 1];
}

#endif
