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

// Labels, or a mask, of single bytes.
LANES_INLINE int are_bytes(const box_job *job) {
    return job->target == CLOSS_LABELS_U8 || job->target == CLOSS_DENSE_U8;
}

// A block of a row of bytes; `some`: those that are before the row's end, the first if not all.
LANES_INLINE vu8 row_bytes(const uint8_t *row, int64_t some) {
    if (some >= LANES) return *(const vu8_anywhere *)row;
    vu8 bytes = {0};
    memcpy(&bytes, row, (size_t)some);
    return bytes;
}

LANES_INLINE vu8 first_bytes(int64_t some) {
    const vi32 numbers = lane_numbers();
    return __builtin_convertvector(numbers < (int32_t)(some < LANES ? some : LANES), vu8);
}

// Ones where a row's voxels belong to the classes, and zeros to the end of its last vector.
LANES_INLINE void row_members(const box_job *job, const void *labels, uint8_t *to) {
    const int64_t n = job->extents[WEIGHTS_COLUMNS];
    memset(to, 0, (size_t)box_padded(job));
    if (!labels) return;
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
    if (!job->excludes_padding) across = -1; // the same for all
    if (room->known == across) return;
    room->known = across;
    const int64_t n = job->extents[WEIGHTS_COLUMNS];
    const int64_t whole = job->before[WEIGHTS_COLUMNS], last_whole = n - 1 - job->after[WEIGHTS_COLUMNS];
    for (int64_t x = 0, next; x < box_padded(job); x = next) {
        next = x == whole && x < last_whole ? last_whole + 1 : x + 1;
        double voxels = (double)job->window;
        if (job->excludes_padding) voxels = x < n ? (double)(across * box_covered(job, WEIGHTS_COLUMNS, x)) : 1;
        const float reciprocal = (float)(1 / voxels);
        const double lower = job->lower * voxels, upper = job->upper * voxels;
        const int32_t above = (int32_t)lower, below = (int32_t)upper + ((int32_t)upper < upper); // neither is negative
        for (int64_t i = x; i < next; i++) {
            room->reciprocals[i] = reciprocal;
            room->above[i] = above;
            room->below[i] = below;
        }
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

LANES_INLINE void slide_block(int32_t *counts, vu8 in, vu8 out, int32_t *uniform) {
    box_bytes change = (box_bytes)in - (box_bytes)out;
    if (byte_bits((vu8)(change != 0))) change_counts(counts, __builtin_convertvector(change, vi32), uniform);
}

// A line looks much like the one that goes out: most blocks are left as they are, and where their bytes are the same
// nothing else is asked.
LANES_INLINE void slide_bytes(const box_job *job, int32_t *counts, const uint8_t *in, const uint8_t *out,
                              int32_t *uniform) {
    const int64_t n = job->extents[WEIGHTS_COLUMNS];
    for (int64_t i = 0; i < n; i += LANES) {
        vu8 bytes_in = in ? row_bytes(in + i, n - i) : (vu8){0}, bytes_out = out ? row_bytes(out + i, n - i) : (vu8){0};
        if (in && out && !byte_bits((vu8)(bytes_in != bytes_out))) continue;
        vu8 inside = n - i < LANES ? first_bytes(n - i) : (vu8){0} - 1;
        slide_block(counts + i, in ? byte_members(job, bytes_in) & inside : bytes_in,
                    out ? byte_members(job, bytes_out) & inside : bytes_out, uniform + i / LANES);
    }
}

LANES_INLINE void slide_members(int32_t *counts, const uint8_t *in, const uint8_t *out, int64_t padded,
                                int32_t *uniform) {
    for (int64_t i = 0; i < padded; i += LANES)
        slide_block(counts + i, *(const vu8_anywhere *)(in + i), *(const vu8_anywhere *)(out + i), uniform + i / LANES);
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
    const char *row_in = in < 0 || in >= lines ? 0 : first_row + in * stride;
    const char *row_out = out < 0 || out >= lines ? 0 : first_row + out * stride;
    if (are_bytes(job)) {
        slide_bytes(job, counts, (const uint8_t *)row_in, (const uint8_t *)row_out, uniform);
        return;
    }
    row_members(job, row_in, room->in);
    row_members(job, row_out, room->out);
    slide_members(counts, room->in, room->out, box_padded(job), uniform);
}

typedef VECTOR(int32_t, TREE_LANES) box_scan;

// Lanes of a vector, 16 for a zero.
#define FURTHER(v, ...) __builtin_shufflevector(v, (box_scan){0}, __VA_ARGS__)

// The running sums of sixteen counts.
LANES_INLINE box_scan sums_of_sixteen(const int32_t *counts) {
    box_scan v;
    memcpy(&v, counts, sizeof v);
    v += FURTHER(v, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
    v += FURTHER(v, 16, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);
    v += FURTHER(v, 16, 16, 16, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    return v + FURTHER(v, 16, 16, 16, 16, 16, 16, 16, 16, 0, 1, 2, 3, 4, 5, 6, 7);
}

LANES_INLINE void box_run(const box_room *room, int64_t padded, int32_t *to) {
    int32_t carried = 0;
    for (int64_t i = 0; i < padded; i += LANES) {
        const int32_t uniform = room->uniform[i / LANES];
        if (uniform >= 0) {
            *(vi32_anywhere *)(to + i) = (lane_numbers() + 1) * uniform + carried;
            carried += LANES * uniform;
            continue;
        }
        for (int j = 0; j < LANES; j += TREE_LANES) {
            box_scan v = sums_of_sixteen(room->counts + i + j);
            box_scan sums = v + carried;
            memcpy(to + i + j, &sums, sizeof sums);
            carried += v[TREE_LANES - 1];
        }
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

// Weights that wait for their scale. Most blocks of an image are all inside or all outside: what is not written need not
// be read again.
LANES_INLINE void box_keep(float *to, float *alike, vf32 value, int64_t columns, int equal) {
    *alike = equal ? value[0] : 0;
    if (!equal) box_store(to, value, columns, 0);
}

LANES_INLINE vf32 box_kept(const float *from, int64_t columns) {
    if (columns >= LANES) return f32_load(from);
    vf32 value = {0};
    memcpy(&value, from, (size_t)columns * sizeof *from);
    return value;
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

// With sums, the exponentials wait for their scale.
LANES_INLINE void boundary_row(const box_job *job, const box_room *room, const box_values *values, box_map map,
                               box_sums *sums) {
    const int64_t n = job->extents[WEIGHTS_COLUMNS];
    box_exponentials e = {0};
    // What the last block was that is all inside or all outside.
    int32_t known = -1;
    float known_reciprocal = 0;
    vf32 known_value = {0};
    u64x16 known_quanta = {0};
    for (int64_t x = 0; x < n; x += LANES) {
        int32_t common = box_common(job, room, x);
        int equal = common >= 0;
        if (equal && (common != known || room->reciprocals[x] != known_reciprocal)) {
            known = common;
            known_reciprocal = room->reciprocals[x];
            known_value = box_exponential(job, i32_splat(known), f32_splat(known_reciprocal));
            known_quanta = exact_quanta(block_tree(known_value), PROBABILITY_ANCHOR);
        }
        vf32 value = known_value;
        u64x16 quanta = known_quanta;
        if (!equal) {
            value = box_exponential(job, box_counts(job, room, x), f32_load(room->reciprocals + x));
            vi32 inside = n - x < LANES ? lane_numbers() < (int32_t)(n - x) : i32_splat(-1);
            if (sums) quanta = exact_quanta(block_tree(f32_keep(inside, value)), PROBABILITY_ANCHOR);
        }
        if (sums) {
            add_quanta(&e, quanta, sums);
            box_keep(map.weights + x, map.alike + x / LANES, value, n - x, equal);
        } else {
            box_store(map.weights + x, value * values->high, n - x, values->streaming);
        }
    }
    if (sums) sums->exponentials += exact_total(e.sum, PROBABILITY_ANCHOR, e.additions);
}

static const float OFF_BORDER = 1, ON_BORDER = 2; // of what waits

LANES_INLINE void border_row(const box_job *job, const box_room *room, const box_values *values, box_map map,
                             box_sums *sums) {
    const int64_t n = job->extents[WEIGHTS_COLUMNS];
    const vf32 low = f32_splat(sums ? OFF_BORDER : values->low), high = f32_splat(sums ? ON_BORDER : values->high);
    vi32 border = {0};
    for (int64_t x = 0; x < n; x += LANES) {
        vi32 count = box_counts(job, room, x);
        vi32 inside = n - x < LANES ? lane_numbers() < (int32_t)(n - x) : i32_splat(-1);
        vi32 here = (count > i32_load(room->above + x)) & (count < i32_load(room->below + x)) & inside;
        vf32 value = f32_select(here, high, low);
        if (sums) {
            border -= here;
            box_keep(map.weights + x, map.alike + x / LANES, value, n - x, !i32_any(here ^ i32_splat(here[0])));
        } else {
            box_store(map.weights + x, value, n - x, values->streaming);
        }
    }
    if (sums) sums->border += count_total(border);
}

LANES_INLINE void box_row(const box_job *job, const box_room *room, const box_values *values, box_map map,
                          box_sums *sums) {
    if (job->form == CLOSS_BOX_BORDER)
        border_row(job, room, values, map, sums);
    else if (sums)
        boundary_row(job, room, 0, map, sums);
    else
        boundary_row(job, room, values, map, 0);
}

LANES_INLINE vf32 box_weight(const box_job *job, vf32 kept, const box_values *values) {
    if (job->form != CLOSS_BOX_BORDER) return kept * values->high;
    return f32_select(kept == ON_BORDER, f32_splat(values->high), f32_splat(values->low));
}

// Rows of weights that waited for these values.
static void box_scale(const box_job *job, int64_t rows, const box_values *values, box_map map) {
    const int64_t n = job->extents[WEIGHTS_COLUMNS];
    for (int64_t y = 0; y < rows; y++, map = box_map_from(job, map, 1)) {
        for (int64_t x = 0; x < n; x += LANES) {
            const float alike = map.alike[x / LANES];
            // What was written is in the cache.
            if (alike > 0)
                box_store(map.weights + x, box_weight(job, f32_splat(alike), values), n - x, values->streaming);
            else
                box_store(map.weights + x, box_weight(job, box_kept(map.weights + x, n - x), values), n - x, 0);
        }
    }
}

// Rows [first, end) of one plane: `labels` are the plane's, or NULL where the room has its counts.
LANES_INLINE void box_rows(const box_job *job, box_room *room, const char *labels, int64_t planes, int64_t first,
                           int64_t end, const box_values *values, box_map map, box_sums *sums) {
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
        box_row(job, room, values, box_map_from(job, map, y), sums);
    }
}

static void box_band(const box_job *job, const void *labels, int64_t first, int64_t end, void *memory,
                     const box_values *values, box_map map, box_sums *sums) {
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
        box_rows(job, &room, 0, box_covered(job, WEIGHTS_PLANES, z), 0, rows, values, box_map_from(job, map, z * rows),
                 sums);
    }
}
