/* Distance maps of labels, of each form and type. */
#include <closs.h>

#include <stdio.h>
#include <stdlib.h>

#include "corpus.h"
#include "inputs.h"
#include "memory.h"
#include "random.h"
#include "report.h"

/* What maps are made of: labels in stretches. */
typedef struct labelled_image {
    uint64_t seed;
    closs_extents extents;
    const double *spacing;
    closs_target target;
    void *labels;
    size_t labels_count;
} labelled_image;

enum { SAMPLES = 2, CLASSES = 3 };

static labelled_image draw_image(random_numbers *r, uint64_t seed, closs_extents e, const double *spacing) {
    labelled_image image = {.seed = seed, .extents = e, .spacing = spacing};
    image.target = (closs_target)(CLOSS_LABELS_U8 + below(r, 4));
    image.labels_count = (size_t)(SAMPLES * e.planes * e.rows * e.columns);
    image.labels = allocate(image.labels_count, target_bytes(image.target));
    for (size_t i = 0, left = 0, label = 0; i < image.labels_count; i++, left--) {
        if (left == 0) left = (size_t)(1 + below(r, 40)), label = (size_t)below(r, CLASSES + 1);
        set_label(image.labels, image.target, i, (int64_t)label);
    }
    return image;
}

static closs_distance_spec draw_spec(random_numbers *r, const labelled_image *image, closs_distance_form form,
                                     closs_distance_type type) {
    closs_distance_spec spec = {.samples = SAMPLES,
                                .extents = image->extents,
                                .class_count = CLASSES,
                                .form = form,
                                .far = (closs_distance_far)below(r, 3),
                                .type = type,
                                .threads = threads,
                                .isa = isa};
    if (form == CLOSS_DISTANCE_SIGNED) spec.boundary = (closs_inner_boundary)below(r, 4);
    if (type == CLOSS_DISTANCE_INT16) spec.scale = 0.125;
    for (int a = 0; a < 3; a++) {
        spec.spacing[a] = image->spacing[a];
        /* Squares in a unit in which a half can hold them; a spacing of 0 stands for 1. */
        if (type == CLOSS_DISTANCE_FLOAT16 && form == CLOSS_DISTANCE_SQUARED)
            spec.spacing[a] = (spec.spacing[a] == 0 ? 1 : spec.spacing[a]) / 64;
    }
    return spec;
}

static void run_distance_map(const labelled_image *image, const closs_distance_spec *spec) {
    const closs_extents e = image->extents;
    char name[160];
    snprintf(name, sizeof name, "distances %" PRIu64 " %" PRId64 "x%" PRId64 "x%" PRId64 " form %d type %d",
             image->seed, e.planes, e.rows, e.columns, (int)spec->form, (int)spec->type);
    size_t values = CLASSES * image->labels_count, size = spec->type == CLOSS_DISTANCE_FLOAT32 ? 4 : 2;
    size_t bytes = closs_distance_scratch_bytes(spec);
    void *map = allocate(values, size), *scratch = allocate(bytes, 1);
    if (good(name, closs_distance_map(spec, image->target, image->labels, image->labels_count, map, values, scratch,
                                      bytes, &last_error)))
        printf("%s: %016" PRIx64 "\n", name, hash_bytes(HASH_START, map, values * size));
    free(scratch);
    free(map);
}

static void run_image(uint64_t seed, closs_extents extents, const double *spacing) {
    random_numbers r = {seed * UINT64_C(0x2545f4914f6cdd1d)};
    labelled_image image = draw_image(&r, seed, extents, spacing);
    for (int form = CLOSS_DISTANCE_UNSIGNED; form <= CLOSS_DISTANCE_SIGNED; form++)
        for (int type = CLOSS_DISTANCE_FLOAT32; type <= CLOSS_DISTANCE_INT16; type++) {
            closs_distance_spec spec = draw_spec(&r, &image, (closs_distance_form)form, (closs_distance_type)type);
            run_distance_map(&image, &spec);
        }
    free(image.labels);
}

void run_distance_maps(void) {
    static const closs_extents EXTENTS[] = {{1, 1, 1},   {1, 1, 77},  {1, 65, 1},  {1, 33, 47},
                                            {1, 64, 64}, {5, 17, 31}, {19, 1, 23}, {1, 200, 301}};
    static const double SPACINGS[][3] = {{0, 0, 0}, {2, 2, 2}, {2.5, 0.75, 1}};
    uint64_t seed = 0;
    for (size_t s = 0; s < COUNT(SPACINGS); s++)
        for (size_t i = 0; i < COUNT(EXTENTS); i++) run_image(++seed, EXTENTS[i], SPACINGS[s]);
}
