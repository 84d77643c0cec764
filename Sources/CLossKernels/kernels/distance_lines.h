// The nearest of a line's voxels, many lines side by side (arithmetic 12.3). Included once with 32-bit integers and
// once with doubles:
//
//     LINES(name)    the name of one of these
//     ELEMENT        of a squared distance; INDEX, an integer of its size
//     LINE_LANES     lines side by side
//
// The squared distance of voxel y is the least of what(r) + square(y - r) over all r of its line. The leftmost r that
// gives it never moves back as y goes on (the squares are convex, and all sums are exact), so what two voxels found
// bounds what those between have to look at: n voxels look at about n log n candidates, in straight runs of memory.
// Where voxels inside and outside are mixed there are two such functions, and a voxel that is not of a function's kind
// is its own nearest there.

typedef VECTOR(ELEMENT, LINE_LANES) LINES(vector);
typedef VECTOR(INDEX, LINE_LANES) LINES(mask);
typedef ANYWHERE(LINES(vector)) LINES(vector_anywhere);

// Which voxels of a line a voxel has to look at, lines together.
typedef struct LINES(bounds) {
    int32_t *first[2], *last[2]; // [n]: of the leftmost nearest, for voxels outside and inside
} LINES(bounds);

LANES_INLINE LINES(vector) LINES(chosen)(LINES(mask) mask, LINES(vector) yes, LINES(vector) no) {
    return (LINES(vector))((mask & (LINES(mask))yes) | (~mask & (LINES(mask))no));
}

typedef enum LINES(kind) {
    LINES(UNSIGNED), // there is no inside
    LINES(OUTSIDE),  // the voxels that look are outside
    LINES(MIXED)
} LINES(kind);

// What a voxel whose sign is `flip` sees of the others: nothing of its own kind's, the squares of the other's.
LANES_INLINE LINES(vector) LINES(seen)(LINES(kind) kind, LINES(vector) what, LINES(mask) flip) {
    if (kind == LINES(UNSIGNED)) return what;
    if (kind == LINES(MIXED)) what = (LINES(vector))((LINES(mask))what ^ flip);
    return LINES(chosen)(what > 0, what, (LINES(vector)){0});
}

LANES_INLINE LINES(vector) LINES(least)(LINES(kind) kind, const ELEMENT *lines, int64_t y, int64_t first, int64_t last,
                                        const ELEMENT *squares, LINES(mask) flip) {
    LINES(vector)
    best = LINES(seen)(kind, *(const LINES(vector) *)(lines + first * LINE_LANES), flip) + squares[first - y];
    for (int64_t r = first + 1; r <= last; r++) {
        LINES(vector)
        there = LINES(seen)(kind, *(const LINES(vector) *)(lines + r * LINE_LANES), flip) + squares[r - y];
        best = LINES(chosen)(there < best, there, best);
    }
    return best;
}

// The same, and which it was.
LANES_INLINE LINES(vector) LINES(nearest)(LINES(kind) kind, const ELEMENT *lines, int64_t y, int64_t first,
                                          int64_t last, const ELEMENT *squares, LINES(mask) flip, LINES(mask) * which) {
    LINES(vector)
    best = LINES(seen)(kind, *(const LINES(vector) *)(lines + first * LINE_LANES), flip) + squares[first - y];
    LINES(mask) at = (LINES(mask)){0} + (INDEX)first, nearest = at;
    for (int64_t r = first + 1; r <= last; r++) {
        LINES(vector)
        there = LINES(seen)(kind, *(const LINES(vector) *)(lines + r * LINE_LANES), flip) + squares[r - y];
        LINES(mask) nearer = (LINES(mask))(there < best);
        at += 1;
        best = LINES(chosen)(nearer, there, best);
        nearest = (nearer & at) | (~nearer & nearest);
    }
    *which = nearest;
    return best;
}

LANES_INLINE void LINES(bound)(LINES(bounds) bounds, int64_t y, int mixed, LINES(mask) inside, LINES(mask) nearest) {
    for (int kind = 0; kind < 2; kind++) {
        LINES(mask) own = kind ? inside : ~inside;
        int some = __builtin_reduce_or(own) != 0;
        bounds.first[kind][y] = bounds.last[kind][y] = (int32_t)y;
        if (!some) continue;
        int32_t first = (int32_t)__builtin_reduce_min((own & nearest) | (~own & (INDEX)y));
        int32_t last = (int32_t)__builtin_reduce_max((own & nearest) | (~own & (INDEX)y));
        bounds.first[kind][y] = first;
        bounds.last[kind][y] = last;
        if (!mixed) return;
    }
}

// One voxel of each line; `step` voxels to both sides know theirs.
LANES_INLINE void LINES(one)(const ELEMENT *lines, int64_t n, int64_t y, int64_t step, const ELEMENT *squares,
                             int is_signed, LINES(bounds) bounds, LINES(vector) * result) {
    LINES(vector) own = *(const LINES(vector) *)(lines + y * LINE_LANES);
    LINES(mask) inside = is_signed ? (LINES(mask))(own < 0) : (LINES(mask)){0};
    int some_inside = is_signed && __builtin_reduce_or(inside) != 0,
        some_outside = !is_signed || __builtin_reduce_and(inside) == 0;
    int64_t first = n - 1, last = 0;
    for (int kind = 0; kind < 2; kind++) {
        if (!(kind ? some_inside : some_outside)) continue;
        int64_t from = y >= step ? bounds.first[kind][y - step] : 0;
        int64_t to = y + step < n ? bounds.last[kind][y + step] : n - 1;
        if (from < first) first = from;
        if (to > last) last = to;
    }
    LINES(mask) flip = FLIP_MASK(inside), nearest;
    LINES(vector) best;
    if (step == 1) {
        best = !is_signed    ? LINES(least)(LINES(UNSIGNED), lines, y, first, last, squares, flip)
               : some_inside ? LINES(least)(LINES(MIXED), lines, y, first, last, squares, flip)
                             : LINES(least)(LINES(OUTSIDE), lines, y, first, last, squares, flip);
    } else {
        best = !is_signed    ? LINES(nearest)(LINES(UNSIGNED), lines, y, first, last, squares, flip, &nearest)
               : some_inside ? LINES(nearest)(LINES(MIXED), lines, y, first, last, squares, flip, &nearest)
                             : LINES(nearest)(LINES(OUTSIDE), lines, y, first, last, squares, flip, &nearest);
        LINES(bound)(bounds, y, is_signed, inside, nearest);
    }
    *result = (LINES(vector))((LINES(mask))best ^ flip);
}

// All voxels of lines of n.
LANES_FUNCTION void LINES(solve)(const ELEMENT *lines, int64_t n, const ELEMENT *squares, int is_signed, int32_t *room,
                                 ELEMENT *results) {
    LINES(bounds) bounds = {{room, room + n}, {room + 2 * n, room + 3 * n}};
    int64_t top = 1;
    while (top < n) top *= 2;
    for (int64_t step = top; step >= 1; step /= 2)
        for (int64_t y = step == top ? 0 : step; y < n; y += 2 * step) {
            LINES(vector) *result = (LINES(vector) *)(results + y * LINE_LANES);
            if (is_signed)
                LINES(one)(lines, n, y, step, squares, 1, bounds, result);
            else
                LINES(one)(lines, n, y, step, squares, 0, bounds, result);
        }
}

// ------------------------------------------------------------------------------------------------------ blocks ----

// Rows of steps as squares, one row's columns side by side; columns past the last are as it is.
LANES_INLINE void LINES(gather)(const distance_job *job, const int32_t *steps, int64_t columns, ELEMENT *lines) {
    const ELEMENT step = (ELEMENT)job->metric.step[2];
    for (int64_t y = 0; y < job->rows; y++, steps += job->columns, lines += LINE_LANES) {
        VECTOR(int32_t, LINE_LANES) raw;
        if (columns == LINE_LANES) {
            memcpy(&raw, steps, sizeof raw);
        } else {
            for (int i = 0; i < LINE_LANES; i++) raw[i] = steps[i < columns ? i : columns - 1];
        }
        VECTOR(int32_t, LINE_LANES) inside = raw >> 31;
        LINES(vector) far = __builtin_convertvector(raw ^ inside, LINES(vector));
        LINES(mask) flip = FLIP_MASK(__builtin_convertvector(inside, LINES(mask)));
        *(LINES(vector) *)lines = (LINES(vector))((LINES(mask))(far * far * step) ^ flip);
    }
}

LANES_INLINE void LINES(store)(const distance_job *job, const ELEMENT *result, void *map, int64_t at, int64_t columns) {
    const distance_metric *metric = &job->metric;
    LINES(vector) own = *(const LINES(vector) *)result;
    LINES(mask) inside = (LINES(mask))(own < 0);
    LINES(vector) squared = (LINES(vector))((LINES(mask))own ^ FLIP_MASK(inside));
    const ELEMENT far_steps_squared = (ELEMENT)far_steps(job) * (ELEMENT)far_steps(job);
    VECTOR(int32_t, LINE_LANES)
    is_far = -__builtin_convertvector((LINES(mask))(squared >= far_steps_squared) & 1, VECTOR(int32_t, LINE_LANES));
    VECTOR(int32_t, LINE_LANES) is_inside = __builtin_convertvector(inside, VECTOR(int32_t, LINE_LANES));
    VECTOR(float, LINE_LANES) value = IN_UNITS(squared, metric->unit);
    if (job->form != CLOSS_DISTANCE_SQUARED && !job->keeps_squares) value = __builtin_elementwise_sqrt(value);
    VECTOR(int32_t, LINE_LANES) outside_value = (VECTOR(int32_t, LINE_LANES))(value - metric->outer_shift);
    VECTOR(int32_t, LINE_LANES) inside_value = (VECTOR(int32_t, LINE_LANES))(metric->inner_shift - value);
    VECTOR(int32_t, LINE_LANES) far = bits_of_float(metric->far_value) ^ (is_inside & INT32_MIN);
    VECTOR(int32_t, LINE_LANES) near = (is_inside & inside_value) | (~is_inside & outside_value);
    value = (VECTOR(float, LINE_LANES))((is_far & far) | (~is_far & near));
    store_distances(job, (const float *)&value, LINE_LANES, map, at, columns);
}

// From the steps of rows to the map's values.
static void LINES(block)(const distance_job *job, const int32_t *steps, int64_t column, void *map, void *scratch) {
    const int64_t columns = job->columns - column < LINE_LANES ? job->columns - column : LINE_LANES;
    const int64_t longest = job->planes > job->rows ? job->planes : job->rows, plane = job->rows * job->columns;
    const int is_signed = job->form == CLOSS_DISTANCE_SIGNED;
    ELEMENT *lines = scratch, *results = lines + longest * LINE_LANES, *rows = results + longest * LINE_LANES;
    int32_t *room = (int32_t *)(rows + (job->planes > 1 ? job->planes * job->rows * LINE_LANES : 0));
    for (int64_t z = 0; z < job->planes; z++) {
        ELEMENT *to = job->planes > 1 ? rows + z * job->rows * LINE_LANES : results;
        LINES(gather)(job, steps + z * plane + column, columns, lines);
        LINES(solve)(lines, job->rows, job->squares[1], is_signed, room, to);
    }
    for (int64_t y = 0; y < job->rows; y++) {
        if (job->planes == 1) {
            LINES(store)(job, results + y * LINE_LANES, map, y * job->columns + column, columns);
            continue;
        }
        for (int64_t z = 0; z < job->planes; z++)
            memcpy(lines + z * LINE_LANES, rows + (z * job->rows + y) * LINE_LANES, LINE_LANES * sizeof(ELEMENT));
        LINES(solve)(lines, job->planes, job->squares[0], is_signed, room, results);
        for (int64_t z = 0; z < job->planes; z++)
            LINES(store)(job, results + z * LINE_LANES, map, z * plane + y * job->columns + column, columns);
    }
}
