// Box averages and the weights made of them (arithmetic 14.1 to 14.3). Counts of a window's voxels slide: a line that
// comes in is added to the columns' counts, one that goes out taken off, and along a row running sums are subtracted,
// so that a window of any size costs the same. All of it is integers: where a thread begins changes nothing.

// ----------------------------------------------------------------------------------------------------- members ----

#define MEMBERS(type)                                                                                                  \
    for (int k = 0; k < job->class_count; k++) {                                                                       \
        const type wanted = (type)job->classes[k];                                                                     \
        for (int64_t i = 0; i < n; i++) to[i] |= ((const type *)labels)[i] == wanted;                                  \
    }

LANES_INLINE vu8 byte_members(const box_job *job, vu8 here) {
    vu8 found = {0};
    if (job->target == CLOSS_DENSE_U8) return (vu8)(here != 0) & 1;
    for (int k = 0; k < job->class_count; k++) found |= (vu8)(here == (uint8_t)job->classes[k]);
    return found & 1;
}

// Ones where a row's voxels belong to the classes, and zeros to the end of its last vector.
LANES_INLINE void row_members(const box_job *job, const void *labels, uint8_t *to) {
    const int64_t n = job->extents[WEIGHTS_COLUMNS];
    if (job->target == CLOSS_LABELS_U8 || job->target == CLOSS_DENSE_U8) {
        int64_t i = 0;
        for (; i + LANES <= n; i += LANES) {
            vu8 found = byte_members(job, *(const vu8_anywhere *)((const uint8_t *)labels + i));
            memcpy(to + i, &found, sizeof found);
        }
        if (i == n) return;
        vu8 rest = {0};
        memcpy(&rest, (const uint8_t *)labels + i, (size_t)(n - i));
        rest = byte_members(job, rest);
        memcpy(to + i, &rest, sizeof rest);
        memset(to + n, 0, (size_t)(i + LANES - n));
        return;
    }
    memset(to, 0, (size_t)box_padded(job));
    if (job->target == CLOSS_LABELS_U16) {
        MEMBERS(uint16_t)
    } else if (job->target == CLOSS_LABELS_I32) {
        MEMBERS(int32_t)
    } else {
        MEMBERS(int64_t)
    }
}

// ------------------------------------------------------------------------------------------------------- rooms ----

typedef VECTOR(int8_t, LANES) box_bytes;
typedef ANYWHERE(box_bytes) box_bytes_anywhere;

typedef struct box_room {
    int32_t *counts;        // [padded]: of each column, what of the window is in it
    int32_t *running;       // their sums up to a column, after `before` + 1 zeros
    float *reciprocals;     // [padded]: of the voxels of each window
    int32_t *above, *below; // [padded]: a border's counts are greater than the one and less than the other
    uint8_t *in, *out;      // [padded]: members of the lines that come in and go out
    int32_t *uniform;       // [padded / 64]: what all columns of a block have in common, or -1
    int32_t *stretch;       // [padded / 64]: the first of a stretch of such blocks that are alike
    int32_t *plane;         // [rows][padded]: counts across planes
    int32_t *plane_uniform; // [padded / 64]: not looked at
    int64_t known;          // rows times planes of the window that the reciprocals are of
} box_room;

static box_room box_room_in(const box_job *job, void *memory) {
    const int64_t padded = box_padded(job);
    box_room room = {.counts = memory};
    room.reciprocals = (float *)(room.counts + padded);
    room.above = room.counts + 2 * padded;
    room.below = room.counts + 3 * padded;
    room.running = room.counts + 4 * padded;
    room.plane = room.running + padded + job->before[WEIGHTS_COLUMNS] + job->after[WEIGHTS_COLUMNS] + 2 * BOX_LANES;
    room.uniform = room.plane;
    room.stretch = room.uniform + padded / BOX_LANES;
    room.plane_uniform = room.stretch + padded / BOX_LANES;
    room.plane = room.plane_uniform + padded / BOX_LANES;
    int32_t *end = room.plane;
    if (job->extents[WEIGHTS_PLANES] > 1) end += job->extents[WEIGHTS_ROWS] * padded;
    room.in = (uint8_t *)end;
    room.out = room.in + padded;
    return room;
}

// Voxels of the window around `at` along an axis.
static int64_t box_covered(const box_job *job, int axis, int64_t at) {
    int64_t first = at - job->before[axis], last = at + job->after[axis];
    if (first < 0) first = 0;
    if (last >= job->extents[axis]) last = job->extents[axis] - 1;
    return last - first + 1;
}

// The reciprocals and thresholds of a row, whose windows have `across` voxels in each of their columns.
static void box_know(const box_job *job, box_room *room, int64_t across) {
    if (room->known == across) return;
    room->known = across;
    for (int64_t x = 0; x < box_padded(job); x++) {
        double voxels = (double)job->window;
        if (job->excludes_padding)
            voxels = x < job->extents[WEIGHTS_COLUMNS] ? (double)(across * box_covered(job, WEIGHTS_COLUMNS, x)) : 1;
        room->reciprocals[x] = (float)(1 / voxels);
        const double lower = job->lower * voxels, upper = job->upper * voxels;
        room->above[x] = (int32_t)lower; // neither is negative
        room->below[x] = (int32_t)upper + ((int32_t)upper < upper);
    }
}

// ------------------------------------------------------------------------------------------------------ sliding ----

// What all columns of a block have in common, or -1.
LANES_INLINE int32_t uniform_count(vi32 counts) {
    int32_t first = counts[0];
    return i32_any(counts ^ i32_splat(first)) ? -1 : first;
}

LANES_INLINE void change_counts(int32_t *counts, vi32 change, int32_t *uniform) {
    vi32 sum = i32_load(counts) + change;
    *(vi32_anywhere *)counts = sum;
    *uniform = uniform_count(sum);
}

// A line looks much like the one that goes out: most blocks are left as they are.
LANES_INLINE void slide_bytes(int32_t *counts, const uint8_t *in, const uint8_t *out, int64_t padded,
                              int32_t *uniform) {
    for (int64_t i = 0; i < padded; i += LANES) {
        box_bytes change = *(const box_bytes_anywhere *)(in + i) - *(const box_bytes_anywhere *)(out + i);
        if (byte_bits((vu8)(change != 0)))
            change_counts(counts + i, __builtin_convertvector(change, vi32), uniform + i / LANES);
    }
}

// A row of counts that comes in, one that goes out; NULL: none.
LANES_INLINE void slide_counts(int32_t *counts, const int32_t *in, const int32_t *out, int64_t padded,
                               int32_t *uniform) {
    for (int64_t i = 0; i < padded; i += LANES) {
        vi32 change = {0};
        if (in) change += i32_load(in + i);
        if (out) change -= i32_load(out + i);
        if (i32_any(change)) change_counts(counts + i, change, uniform + i / LANES);
    }
}

// Counts of a line of voxels slide: line `in` of `lines` comes in, `out` goes out, where there are such.
LANES_INLINE void slide_line(const box_job *job, box_room *room, int32_t *counts, const char *first_row, int64_t stride,
                             int64_t lines, int64_t in, int64_t out, int32_t *uniform) {
    const int64_t padded = box_padded(job);
    if (in < 0 || in >= lines)
        memset(room->in, 0, (size_t)padded);
    else
        row_members(job, first_row + in * stride, room->in);
    if (out < 0 || out >= lines)
        memset(room->out, 0, (size_t)padded);
    else
        row_members(job, first_row + out * stride, room->out);
    slide_bytes(counts, room->in, room->out, padded, uniform);
}

typedef VECTOR(int32_t, TREE_LANES) box_scan;

// Lanes of a vector, 16 for a zero.
#define FURTHER(v, ...) __builtin_shufflevector(v, (box_scan){0}, __VA_ARGS__)

LANES_INLINE void box_run(const box_room *room, int64_t padded, int32_t *to) {
    box_scan carried = {0};
    const box_scan steps = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    for (int64_t i = 0; i < padded; i += TREE_LANES) {
        const int32_t uniform = room->uniform[i / LANES];
        box_scan v = steps * uniform, all = (box_scan){0} + TREE_LANES * uniform;
        if (uniform < 0) {
            memcpy(&v, room->counts + i, sizeof v);
            v += FURTHER(v, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
            v += FURTHER(v, 16, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);
            v += FURTHER(v, 16, 16, 16, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
            v += FURTHER(v, 16, 16, 16, 16, 16, 16, 16, 16, 0, 1, 2, 3, 4, 5, 6, 7);
            all = FURTHER(v, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15);
        }
        v += carried;
        memcpy(to + i, &v, sizeof v);
        carried += all;
    }
}

// Where the stretch of blocks that have the same in all their columns begins.
LANES_INLINE void box_stretches(const box_room *room, int64_t padded) {
    for (int64_t b = 0; b < padded / LANES; b++) {
        int goes_on = b && room->uniform[b] >= 0 && room->uniform[b] == room->uniform[b - 1];
        room->stretch[b] = goes_on ? room->stretch[b - 1] : (int32_t)b;
    }
}

// The running sums of the columns' counts, with what the windows at both ends reach beyond them.
LANES_INLINE void box_running(const box_job *job, box_room *room) {
    const int64_t padded = box_padded(job), head = job->before[WEIGHTS_COLUMNS] + 1;
    memset(room->running, 0, (size_t)head * sizeof *room->running);
    box_run(room, padded, room->running + head);
    box_stretches(room, padded);
    int32_t all = room->running[head + padded - 1];
    for (int64_t i = 0; i < job->after[WEIGHTS_COLUMNS] + 1; i++) room->running[head + padded + i] = all;
}

// ------------------------------------------------------------------------------------------------------ weights ----

typedef vf32 box_cache_lines __attribute__((aligned(64)));

LANES_INLINE vf32 box_exponential(const box_job *job, vi32 count, vf32 reciprocal) {
    vf32 away = f32_fma(__builtin_convertvector(count, vf32), reciprocal, f32_splat(-0.5f));
    return exp_nonpositive(f32_abs(away) * -job->steepness);
}

LANES_INLINE void box_store(float *to, vf32 value, int64_t columns, int streaming) {
    if (columns < LANES)
        memcpy(to, &value, (size_t)columns * sizeof *to);
    else if (streaming)
        __builtin_nontemporal_store(value, (box_cache_lines *)to);
    else
        f32_store(to, value);
}

// What all windows of a block have in common: all of their columns do. -1 where they have not, or reach beyond the row.
LANES_INLINE int32_t box_common(const box_job *job, const box_room *room, int64_t x) {
    const int64_t n = job->extents[WEIGHTS_COLUMNS], before = job->before[WEIGHTS_COLUMNS];
    const int64_t first = x - before, last = x + LANES - 1 + job->after[WEIGHTS_COLUMNS];
    if (first < 0 || last >= n) return -1;
    const int32_t uniform = room->uniform[last / LANES];
    if (uniform < 0 || room->stretch[last / LANES] > first / LANES) return -1;
    return uniform * (int32_t)(before + job->after[WEIGHTS_COLUMNS] + 1);
}

LANES_INLINE vi32 box_counts(const box_job *job, const box_room *room, int64_t x) {
    const int32_t *from = room->running + x;
    return i32_load(from + job->before[WEIGHTS_COLUMNS] + job->after[WEIGHTS_COLUMNS] + 1) - i32_load(from);
}

// What a row's exponentials come to; 512 blocks are what 64 bits hold.
typedef struct box_exponentials {
    u64x16 sum;
    int64_t additions;
} box_exponentials;

LANES_INLINE void add_quanta(box_exponentials *e, u64x16 quanta, box_sums *sums) {
    e->sum += quanta;
    if (++e->additions < 512) return;
    sums->exponentials += exact_total(e->sum, PROBABILITY_ANCHOR, e->additions);
    *e = (box_exponentials){0};
}

LANES_INLINE void boundary_row(const box_job *job, const box_room *room, const box_values *values, float *map,
                               box_sums *sums) {
    const int64_t n = job->extents[WEIGHTS_COLUMNS];
    box_exponentials e = {0};
    // Most blocks of an image are all inside or all outside: what those are is kept.
    int32_t known = -1;
    float known_reciprocal = 0;
    vf32 known_value = {0};
    u64x16 known_quanta = {0};
    for (int64_t x = 0; x < n; x += LANES) {
        int32_t common = box_common(job, room, x);
        if (common < 0) {
            vf32 value = box_exponential(job, box_counts(job, room, x), f32_load(room->reciprocals + x));
            if (sums) {
                vi32 inside = n - x < LANES ? lane_numbers() < (int32_t)(n - x) : i32_splat(-1);
                add_quanta(&e, exact_quanta(block_tree(f32_keep(inside, value)), PROBABILITY_ANCHOR), sums);
            }
            if (map) box_store(map + x, value * values->high, n - x, values->streaming);
            continue;
        }
        if (common != known || room->reciprocals[x] != known_reciprocal) {
            known = common;
            known_reciprocal = room->reciprocals[x];
            known_value = box_exponential(job, i32_splat(known), f32_splat(known_reciprocal));
            known_quanta = exact_quanta(block_tree(known_value), PROBABILITY_ANCHOR);
            if (map) known_value *= values->high;
        }
        if (sums) add_quanta(&e, known_quanta, sums);
        if (map) box_store(map + x, known_value, n - x, values->streaming);
    }
    if (sums) sums->exponentials += exact_total(e.sum, PROBABILITY_ANCHOR, e.additions);
}

LANES_INLINE void border_row(const box_job *job, const box_room *room, const box_values *values, float *map,
                             box_sums *sums) {
    const int64_t n = job->extents[WEIGHTS_COLUMNS];
    vi32 border = {0};
    for (int64_t x = 0; x < n; x += LANES) {
        vi32 count = box_counts(job, room, x);
        vi32 inside = n - x < LANES ? lane_numbers() < (int32_t)(n - x) : i32_splat(-1);
        vi32 here = (count > i32_load(room->above + x)) & (count < i32_load(room->below + x)) & inside;
        if (sums) border -= here;
        if (map)
            box_store(map + x, f32_select(here, f32_splat(values->high), f32_splat(values->low)), n - x,
                      values->streaming);
    }
    if (sums) sums->border += count_total(border);
}

LANES_INLINE void box_row(const box_job *job, const box_room *room, const box_values *values, float *map,
                          box_sums *sums) {
    if (job->form == CLOSS_BOX_BORDER)
        border_row(job, room, values, map, sums);
    else if (map)
        boundary_row(job, room, values, map, 0);
    else
        boundary_row(job, room, values, 0, sums);
}

// Rows [first, end) of one plane: `labels` are the plane's, or NULL where the room has its counts.
LANES_INLINE void box_rows(const box_job *job, box_room *room, const char *labels, int64_t planes, int64_t first,
                           int64_t end, const box_values *values, float *map, box_sums *sums) {
    const int64_t rows = job->extents[WEIGHTS_ROWS], columns = job->extents[WEIGHTS_COLUMNS], padded = box_padded(job);
    const int64_t before = job->before[WEIGHTS_ROWS], after = job->after[WEIGHTS_ROWS];
    const int64_t stride = columns * (int64_t)target_bytes(job->target);
    memset(room->counts, 0, (size_t)padded * sizeof *room->counts);
    memset(room->uniform, 0, (size_t)(padded / LANES) * sizeof *room->uniform);
    for (int64_t in = first - before; in < end + after; in++) {
        int64_t y = in - after, out = y - 1 - before;
        if (y <= first) out = -1;
        if (labels)
            slide_line(job, room, room->counts, labels, stride, rows, in, out, room->uniform);
        else
            slide_counts(room->counts, in >= 0 && in < rows ? room->plane + in * padded : 0,
                         out >= 0 ? room->plane + out * padded : 0, padded, room->uniform);
        if (y < first) continue;
        box_know(job, room, planes * box_covered(job, WEIGHTS_ROWS, y));
        box_running(job, room);
        box_row(job, room, values, map ? map + y * columns : 0, sums);
    }
}

static void box_band(const box_job *job, const void *labels, int64_t first, int64_t end, void *memory,
                     const box_values *values, float *map, box_sums *sums) {
    box_room room = box_room_in(job, memory);
    const int64_t planes = job->extents[WEIGHTS_PLANES], rows = job->extents[WEIGHTS_ROWS];
    if (planes == 1) {
        box_rows(job, &room, labels, 1, first, end, values, map, sums);
        return;
    }
    const int64_t padded = box_padded(job), plane = rows * job->extents[WEIGHTS_COLUMNS];
    const int64_t before = job->before[WEIGHTS_PLANES], after = job->after[WEIGHTS_PLANES];
    const int64_t bytes = (int64_t)target_bytes(job->target);
    memset(room.plane, 0, (size_t)(rows * padded) * sizeof *room.plane);
    for (int64_t in = first - before; in < end + after; in++) {
        int64_t z = in - after, out = z <= first ? -1 : z - 1 - before;
        for (int64_t y = 0; y < rows; y++)
            slide_line(job, &room, room.plane + y * padded,
                       (const char *)labels + y * job->extents[WEIGHTS_COLUMNS] * bytes, plane * bytes, planes, in, out,
                       room.plane_uniform);
        if (z < first) continue;
        box_rows(job, &room, 0, box_covered(job, WEIGHTS_PLANES, z), 0, rows, values, map ? map + z * plane : 0, sums);
    }
}
