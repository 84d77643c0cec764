// The two nearest cells across lines, many lines side by side. Included once with 32-bit integers and once with
// doubles:
//
//     LINES(name)    the name of one of these
//     ELEMENT        of a squared distance; INDEX, an integer of its size
//     LINE_LANES     lines side by side
//
// A voxel looks ever farther to both sides until what is left is too far for any lane.

typedef VECTOR(ELEMENT, LINE_LANES) LINES(vector);
typedef VECTOR(INDEX, LINE_LANES) LINES(mask);

// Squared distances and cells, [places][LINE_LANES] each.
typedef struct LINES(two) {
    ELEMENT *squares[2];
    INDEX *cells[2];
} LINES(two);

typedef struct LINES(found) {
    LINES(vector) square[2];
    LINES(mask) cell[2];
} LINES(found);

LANES_INLINE LINES(found) LINES(at)(const LINES(two) * lines, int64_t place) {
    LINES(found) here;
    for (int k = 0; k < 2; k++) {
        here.square[k] = *(const LINES(vector) *)(lines->squares[k] + place * LINE_LANES);
        here.cell[k] = *(const LINES(mask) *)(lines->cells[k] + place * LINE_LANES);
    }
    return here;
}

LANES_INLINE void LINES(keep)(const LINES(two) * lines, int64_t place, const LINES(found) * here) {
    for (int k = 0; k < 2; k++) {
        *(LINES(vector) *)(lines->squares[k] + place * LINE_LANES) = here->square[k];
        *(LINES(mask) *)(lines->cells[k] + place * LINE_LANES) = here->cell[k];
    }
}

LANES_INLINE LINES(mask) LINES(either)(LINES(mask) mask, LINES(mask) yes, LINES(mask) no) {
    return (mask & yes) | (~mask & no);
}

LANES_INLINE LINES(vector) LINES(chosen)(LINES(mask) mask, LINES(vector) yes, LINES(vector) no) {
    return (LINES(vector))LINES(either)(mask, (LINES(mask))yes, (LINES(mask))no);
}

// One more cell beside each lane's two.
LANES_INLINE void LINES(offered)(LINES(found) * best, LINES(vector) square, LINES(mask) cell) {
    LINES(mask) same = (LINES(mask))(cell == best->cell[0]), first = (LINES(mask))(square < best->square[0]);
    LINES(mask) moves = first & ~same, second = ~first & ~same & (LINES(mask))(square < best->square[1]);
    best->square[1] = LINES(chosen)(moves, best->square[0], LINES(chosen)(second, square, best->square[1]));
    best->cell[1] = LINES(either)(moves, best->cell[0], LINES(either)(second, cell, best->cell[1]));
    best->square[0] = LINES(chosen)(first, square, best->square[0]);
    best->cell[0] = LINES(either)(first, cell, best->cell[0]);
}

LANES_INLINE void LINES(look)(LINES(found) * best, const LINES(two) * lines, int64_t place, ELEMENT square) {
    LINES(vector)
    nearest = *(const LINES(vector) *)(lines->squares[0] + place * LINE_LANES) + square;
    if (!__builtin_reduce_or((LINES(mask))(nearest < best->square[1]))) return;
    LINES(found) there = LINES(at)(lines, place);
    for (int k = 0; k < 2; k++) LINES(offered)(best, there.square[k] + square, there.cell[k]);
}

// The two nearest of voxel y. Of the last axis, voxels of cells have no need to know.
LANES_INLINE LINES(found)
    LINES(two_nearest)(const LINES(two) * lines, int64_t n, int64_t y, ELEMENT step, int64_t reach, int is_last) {
    LINES(found) best = LINES(at)(lines, y);
    if (is_last) best.square[1] = LINES(chosen)((LINES(mask))(best.square[0] == 0), (LINES(vector)){0}, best.square[1]);
    for (int64_t s = 1; s <= reach && (s <= y || y + s < n); s++) {
        ELEMENT square = (ELEMENT)s * (ELEMENT)s * step;
        if (!__builtin_reduce_or((LINES(mask))(best.square[1] > square))) break;
        if (s <= y) LINES(look)(&best, lines, y - s, square);
        if (y + s < n) LINES(look)(&best, lines, y + s, square);
    }
    return best;
}

// ------------------------------------------------------------------------------------------------------ blocks ----

// Rows of steps as squares, one row's columns side by side; columns past the last are as it is.
LANES_INLINE void LINES(gather)(const cells_job *job, const cells_near *near, int64_t from, int64_t columns,
                                const LINES(two) * lines) {
    const distance_job *d = &job->distance;
    const ELEMENT step = (ELEMENT)d->metric.step[2];
    for (int64_t y = 0; y < d->rows; y++, from += d->columns)
        for (int k = 0; k < 2; k++) {
            ELEMENT *squares = lines->squares[k] + y * LINE_LANES;
            INDEX *cells = lines->cells[k] + y * LINE_LANES;
            for (int i = 0; i < LINE_LANES; i++) {
                int64_t x = from + (i < columns ? i : columns - 1);
                ELEMENT steps = (ELEMENT)near->steps[k][x];
                squares[i] = steps * steps * step;
                cells[i] = near->cells[k][x];
            }
        }
}

LANES_INLINE void LINES(store)(const cells_job *job, const LINES(found) * best, float *map, int64_t columns) {
    const ELEMENT far = (ELEMENT)far_steps(&job->distance) * (ELEMENT)far_steps(&job->distance);
    VECTOR(float, LINE_LANES) together = {0};
    for (int k = 0; k < 2; k++) {
        LINES(vector) squared = best->square[k];
        VECTOR(float, LINE_LANES)
        distance = __builtin_elementwise_sqrt(IN_UNITS(squared, job->distance.metric.unit));
        VECTOR(int32_t, LINE_LANES)
        is_far = -__builtin_convertvector((LINES(mask))(squared >= far) & 1, VECTOR(int32_t, LINE_LANES));
        VECTOR(int32_t, LINE_LANES) infinite = (VECTOR(int32_t, LINE_LANES)){0} + 0x7f800000;
        together +=
            (VECTOR(float, LINE_LANES))((is_far & infinite) | (~is_far & (VECTOR(int32_t, LINE_LANES))distance));
    }
    memcpy(map, &together, (size_t)columns * sizeof *map);
}

LANES_INLINE LINES(two) LINES(room)(char **memory, int64_t places) {
    LINES(two) room;
    const size_t bytes = (size_t)(places * LINE_LANES) * sizeof(ELEMENT);
    for (int k = 0; k < 2; k++) {
        room.squares[k] = (ELEMENT *)*memory;
        room.cells[k] = (INDEX *)(*memory + bytes);
        *memory += 2 * bytes;
    }
    return room;
}

static void LINES(block)(const cells_job *job, const cells_near *near, int64_t column, float *map, void *scratch) {
    const distance_job *d = &job->distance;
    const int64_t columns = d->columns - column < LINE_LANES ? d->columns - column : LINE_LANES;
    const int64_t longest = d->planes > d->rows ? d->planes : d->rows, plane = d->rows * d->columns;
    char *memory = scratch;
    LINES(two) lines = LINES(room)(&memory, longest), all = lines;
    if (d->planes > 1) all = LINES(room)(&memory, d->planes * d->rows);
    for (int64_t z = 0; z < d->planes; z++) {
        LINES(gather)(job, near, z * plane + column, columns, &lines);
        for (int64_t y = 0; y < d->rows; y++) {
            LINES(found)
            best = LINES(two_nearest)(&lines, d->rows, y, (ELEMENT)d->metric.step[1], job->reach[WEIGHTS_ROWS],
                                      d->planes == 1);
            if (d->planes == 1)
                LINES(store)(job, &best, map + y * d->columns + column, columns);
            else
                LINES(keep)(&all, z * d->rows + y, &best);
        }
    }
    for (int64_t y = 0; d->planes > 1 && y < d->rows; y++) {
        for (int64_t z = 0; z < d->planes; z++) {
            LINES(found) here = LINES(at)(&all, z * d->rows + y);
            LINES(keep)(&lines, z, &here);
        }
        for (int64_t z = 0; z < d->planes; z++) {
            LINES(found)
            best = LINES(two_nearest)(&lines, d->planes, z, (ELEMENT)d->metric.step[0], job->reach[WEIGHTS_PLANES], 1);
            LINES(store)(job, &best, map + z * plane + y * d->columns + column, columns);
        }
    }
}
