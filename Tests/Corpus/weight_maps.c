/* Weight maps made of labels: of box averages, of cells and of class frequencies. */
#include <closs.h>

#include <stdio.h>
#include <stdlib.h>

#include "corpus.h"
#include "memory.h"
#include "random.h"
#include "report.h"

/* Patches of a few labels. */
static void draw_patches(random_numbers *r, uint16_t *labels, int64_t lines, int64_t columns, int64_t most) {
    for (int64_t k = below(r, 12); k > 0; k--) {
        int64_t label = below(r, most), first = below(r, lines), left = below(r, columns);
        for (int64_t y = first; y < lines && y < first + 9; y++)
            for (int64_t x = left; x < columns && x < left + 40; x++) labels[y * columns + x] = (uint16_t)label;
    }
}

static void print_map(const char *family, uint64_t seed, closs_status status, const float *map, size_t count) {
    char name[64];
    snprintf(name, sizeof name, "%s %d", family, (int)seed);
    if (good(name, status)) printf("%s: %016" PRIx64 "\n", name, hash_bytes(HASH_START, map, count * sizeof *map));
}

static void run_box_weights(uint64_t seed, random_numbers *r, closs_extents extents, const uint16_t *labels, float *map,
                            size_t count) {
    static const int64_t CLASSES[] = {2, 1};
    int64_t draws[7];
    static const int64_t MOST[] = {4, 12, 60, 2, 2, 2, 3};
    for (int i = 0; i < 7; i++) draws[i] = below(r, MOST[i]);
    closs_box_weights_spec spec = {.samples = 2,
                                   .extents = extents,
                                   .window = {1 + draws[0], 1 + draws[1], 1 + draws[2]},
                                   .classes = CLASSES,
                                   .class_count = 1 + (int)draws[3],
                                   .form = (closs_box_form)draws[4],
                                   .padding = (closs_box_padding)draws[5],
                                   .mean = (closs_weights_mean)draws[6],
                                   .amplitude = 2,
                                   .threads = threads,
                                   .isa = isa};
    if (spec.form == CLOSS_BOX_BOUNDARY) spec.steepness = 5;
    if (spec.form == CLOSS_BOX_BORDER) {
        spec.lower = 0.005;
        spec.upper = 0.995;
    }
    size_t bytes = closs_box_weights_scratch_bytes(&spec);
    void *scratch = allocate(bytes, 1);
    closs_status status =
        closs_box_weights(&spec, CLOSS_LABELS_U16, labels, count, map, count, scratch, bytes, &last_error);
    print_map("box-weights", seed, status, map, count);
    free(scratch);
}

static void run_cell_weights(uint64_t seed, random_numbers *r, closs_extents extents, const uint16_t *labels,
                             float *map, size_t count) {
    static const double SIGMAS[] = {0.5, 3, 5, 60};
    int64_t draws[4];
    for (int i = 0; i < 4; i++) draws[i] = below(r, i == 2 ? 4 : 2);
    closs_cell_weights_spec spec = {.samples = 2,
                                    .extents = extents,
                                    .spacing = {draws[0] ? 2.5 : 1, 1, 1},
                                    .has_ignore_index = (int)draws[1],
                                    .ignore_index = 3,
                                    .amplitude = 10,
                                    .sigma = SIGMAS[draws[2]],
                                    .background_weight = 1,
                                    .cell_weight = 2,
                                    .balanced = (int)draws[3],
                                    .threads = threads,
                                    .isa = isa};
    size_t bytes = closs_cell_weights_scratch_bytes(&spec);
    void *scratch = allocate(bytes, 1);
    closs_status status =
        closs_cell_weights(&spec, CLOSS_LABELS_U16, labels, count, map, count, scratch, bytes, &last_error);
    print_map("cell-weights", seed, status, map, count);
    free(scratch);
}

static void run_class_weights(uint64_t seed, random_numbers *r, const uint16_t *labels, float *map, size_t count) {
    enum { CLASSES = 9 };
    int64_t counts[2 * CLASSES] = {0};
    float weights[CLASSES];
    int64_t draws[4];
    for (int i = 0; i < 4; i++) draws[i] = below(r, i == 0 ? 2 : i == 1 ? 6 : 3);
    closs_class_counts_spec spec = {.samples = 2,
                                    .voxels = (int64_t)count / 2,
                                    .class_count = CLASSES,
                                    .has_ignore_index = (int)draws[0],
                                    .ignore_index = 4,
                                    .threads = threads,
                                    .isa = isa};
    closs_class_weights_spec frequencies = {.class_count = CLASSES,
                                            .weighting = (closs_class_weighting)draws[1],
                                            .absent = (closs_absent_weight)draws[2],
                                            .norm = (closs_weights_norm)draws[3]};
    if (frequencies.weighting == CLOSS_WEIGHTING_LOGARITHMIC) frequencies.parameter = 1.02;
    if (frequencies.weighting == CLOSS_WEIGHTING_EFFECTIVE) frequencies.parameter = 0.99;
    closs_status status = closs_class_counts(&spec, CLOSS_LABELS_U16, labels, count, counts, 2 * CLASSES, &last_error);
    if (status == CLOSS_OK)
        status = closs_class_weights(&frequencies, counts, 2 * CLASSES, weights, CLASSES, &last_error);
    if (status == CLOSS_OK)
        status =
            closs_class_weight_map(&spec, CLOSS_LABELS_U16, labels, count, weights, CLASSES, map, count, &last_error);
    print_map("class-weights", seed, status, map, count);
}

void run_weight_maps(void) {
    for (uint64_t seed = 0; seed < 60; seed++) {
        random_numbers r = {seed + 1000};
        int64_t planes = one_in(&r, 3) ? 1 + below(&r, 6) : 1, rows = 1 + below(&r, 40), columns = 1 + below(&r, 200);
        closs_extents extents = {planes, rows, columns};
        int64_t lines = 2 * extents.planes * extents.rows;
        size_t count = (size_t)(lines * extents.columns);
        uint16_t *labels = allocate(count, sizeof *labels);
        float *map = allocate(count, sizeof *map);
        draw_patches(&r, labels, lines, extents.columns, 9);
        run_box_weights(seed, &r, extents, labels, map, count);
        run_cell_weights(seed, &r, extents, labels, map, count);
        run_class_weights(seed, &r, labels, map, count);
        free(labels);
        free(map);
    }
}
