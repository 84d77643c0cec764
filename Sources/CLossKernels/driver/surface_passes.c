#include "driver/surface_passes.h"

#include <math.h>

#include "driver/distance_passes.h"
#include "driver/parallel.h"

static int64_t rows_of(const distance_job *job) { return job->planes * job->rows; }

// ----------------------------------------------------------------------------------------------------- members ----

static void find_ends(const uint8_t *a, const uint8_t *b, int64_t columns, int32_t *ends) {
    int64_t first = 0, last = columns - 1;
    while (first < columns && !(a[first] | b[first])) first++;
    while (last >= first && !(a[last] | b[last])) last--;
    ends[0] = (int32_t)first;
    ends[1] = (int32_t)last;
}

static void members_of_thread(void *context, int thread, int threads) {
    const surface_pass *p = context;
    const int64_t columns = p->whole->columns, rows = rows_of(p->whole);
    const int excludes = p->excluded.mask || p->excluded.has_ignore;
    for (int64_t i = rows * thread / threads; i < rows * (thread + 1) / threads; i++) {
        const int64_t at = i * columns;
        int32_t *ends = p->ends + 2 * i;
        int any = 0;
        for (int s = 0; s < SURFACES; s++)
            any |= p->kernels->members(p->types[s], p->labels[s] + (size_t)at * target_bytes(p->types[s]), p->label,
                                       columns, p->members[s] + at);
        ends[0] = (int32_t)columns;
        ends[1] = -1;
        if (!any) continue;
        if (excludes) {
            metric_labels here = p->excluded;
            here.labels = (const char *)here.labels + (size_t)at * target_bytes(here.type);
            if (here.mask) here.mask += at;
            p->kernels->exclude(&here, columns, p->members[PREDICTED] + at, p->members[TRUTH] + at);
        }
        find_ends(p->members[PREDICTED] + at, p->members[TRUTH] + at, columns, ends);
    }
}

// What encloses the class in both maps; 0 where it is in neither.
static int find_box(surface_pass *p) {
    const int64_t rows = p->whole->rows;
    int64_t first[3] = {INT64_MAX, INT64_MAX, INT64_MAX}, last[3] = {-1, -1, -1};
    for (int64_t i = 0; i < rows_of(p->whole); i++) {
        const int64_t begins[3] = {i / rows, i % rows, p->ends[2 * i]},
                      ends[3] = {i / rows, i % rows, p->ends[2 * i + 1]};
        if (ends[2] < begins[2]) continue;
        for (int a = 0; a < 3; a++) {
            if (begins[a] < first[a]) first[a] = begins[a];
            if (ends[a] > last[a]) last[a] = ends[a];
        }
    }
    if (last[2] < 0) return 0;
    memcpy(p->corner, first, sizeof first);
    p->box = *p->whole;
    p->box.planes = last[0] - first[0] + 1;
    p->box.rows = last[1] - first[1] + 1;
    p->box.columns = last[2] - first[2] + 1;
    return 1;
}

// ---------------------------------------------------------------------------------------------------- surfaces ----

// The row `step` rows on, which is there where `inside` holds; along an axis of one voxel the row itself.
static const uint8_t *neighbour(const surface_pass *p, const uint8_t *row, int64_t extent, int inside, int64_t step) {
    if (extent == 1) return row;
    return inside ? row + step * p->whole->columns : p->nothing;
}

static void surfaces_of_thread(void *context, int thread, int threads) {
    const surface_pass *p = context;
    const distance_job *whole = p->whole, *box = &p->box;
    const int64_t rows = rows_of(box), all = SURFACES * rows;
    for (int64_t i = all * thread / threads; i < all * (thread + 1) / threads; i++) {
        const int64_t z = p->corner[0] + i % rows / box->rows, y = p->corner[1] + i % rows % box->rows;
        const uint8_t *here = p->members[i / rows] + (z * whole->rows + y) * whole->columns + p->corner[2];
        surface_row row = {.here = here,
                           .above = neighbour(p, here, whole->rows, y > 0, -1),
                           .below = neighbour(p, here, whole->rows, y + 1 < whole->rows, 1),
                           .before = neighbour(p, here, whole->planes, z > 0, -whole->rows),
                           .behind = neighbour(p, here, whole->planes, z + 1 < whole->planes, whole->rows),
                           .columns = box->columns,
                           // The one voxel of an image is its surface.
                           .has_sides = whole->columns > 1 || rows_of(whole) == 1};
        p->kernels->surface(&row, p->surfaces + i * box->columns);
    }
}

// --------------------------------------------------------------------------------------------------- distances ----

static void find_maps(surface_pass *p) {
    static const int64_t on_surface[1] = {1};
    distance_fill_squares(&p->box, p->squares);
    distance_maps maps = {.job = &p->box,
                          .kernels = p->distance,
                          .target = CLOSS_LABELS_U8,
                          .labels = (const char *)p->surfaces,
                          .classes = on_surface,
                          .class_count = 1,
                          .threads = p->threads,
                          .samples = SURFACES,
                          .steps = (int32_t *)p->maps,
                          .map = (char *)p->maps,
                          .blocks = p->blocks,
                          .rooms = p->threads};
    distance_rows_pass(&maps);
    distance_blocks_pass(&maps);
}

// Moves the distances of a surface's voxels to the map's front.
static surface_sums gather(const uint8_t *surface, float *map, int64_t voxels) {
    surface_sums sums = {.squared = map};
    for (int64_t i = 0; i < voxels;) {
        uint64_t eight;
        if (i + (int64_t)sizeof eight <= voxels && (memcpy(&eight, surface + i, sizeof eight), !eight)) {
            i += (int64_t)sizeof eight;
            continue;
        }
        int64_t end = i + (int64_t)sizeof eight < voxels ? i + (int64_t)sizeof eight : voxels;
        for (; i < end; i++) {
            if (!surface[i]) continue;
            float squared = map[i];
            map[sums.count++] = squared;
            if (squared > sums.largest) sums.largest = squared;
            sums.sum += sqrt((double)squared);
        }
    }
    return sums;
}

typedef struct gathering {
    const surface_pass *pass;
    surface_sums *sums;
} gathering;

static void gather_of_thread(void *context, int thread, int threads) {
    const gathering *g = context;
    const distance_job *box = &g->pass->box;
    const int64_t voxels = rows_of(box) * box->columns;
    for (int s = thread; s < SURFACES; s += threads)
        g->sums[s] = gather(g->pass->surfaces + s * voxels, g->pass->maps + (SURFACES - 1 - s) * voxels, voxels);
}

// ------------------------------------------------------------------------------------------------------- verbs ----

static int64_t count_of(const uint8_t *surface, int64_t voxels) {
    int64_t count = 0;
    for (int64_t i = 0; i < voxels; i++) count += surface[i];
    return count;
}

int run_surface(surface_pass *p, surface_sums sums[SURFACES], int found[SURFACES]) {
    found[PREDICTED] = found[TRUTH] = 0;
    sums[PREDICTED] = sums[TRUTH] = (surface_sums){0};
    run_parallel(p->threads, members_of_thread, p);
    if (!find_box(p)) return 0;
    run_parallel(p->threads, surfaces_of_thread, p);
    const int64_t voxels = rows_of(&p->box) * p->box.columns;
    for (int s = 0; s < SURFACES; s++) {
        sums[s].count = count_of(p->surfaces + s * voxels, voxels);
        found[s] = sums[s].count > 0;
    }
    if (!found[PREDICTED] || !found[TRUTH]) return 0;
    find_maps(p);
    gathering g = {p, sums};
    run_parallel(p->threads < SURFACES ? p->threads : SURFACES, gather_of_thread, &g);
    return 1;
}
