#include "binarization_maps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "corpus.h"
#include "inputs.h"
#include "memory.h"
#include "random.h"

static void draw_spec(random_numbers *r, closs_binarization_spec *spec) {
    static const double STEEPNESS[] = {50, 50, 10, 1, 0.375};
    spec->map_weight = (double)(1 + below(r, 40)) * 0.125;
    spec->threshold_weight = (double)(1 + below(r, 80)) * 0.125;
    spec->binary_weight = (double)below(r, 16) * 0.125;
    if (one_in(r, 8)) spec->binary_weight = -spec->binary_weight;
    spec->steepness = STEEPNESS[below(r, COUNT(STEEPNESS))];
    spec->negative_ratio = (double)below(r, 13) * 0.25;
    spec->minimum_negatives = one_in(r, 2) ? below(r, 20) : 0;
    spec->fallback_negatives = one_in(r, 2) ? below(r, 100) : 0;
    spec->balance_epsilon = one_in(r, 2) ? 0x1p-20 : 0;
    spec->dice_epsilon = one_in(r, 2) ? 0x1p-20 : 0;
    spec->smooth_l1_beta = one_in(r, 2) ? (double)(1 + below(r, 8)) * 0.125 : 0;
}

/* Text or none, in stretches as of lines; some batches have no text. */
static void draw_text(random_numbers *r, two_maps *m) {
    int is_dense_float = one_in(r, 2), is_soft = m->spec.main == CLOSS_BINARIZATION_DICE, has_text = !one_in(r, 6);
    m->batch.target = is_dense_float ? CLOSS_DENSE_F32 : CLOSS_DENSE_U8;
    m->targets = allocate(m->values, target_bytes(m->batch.target));
    for (size_t i = 0, left = 0, text = 0; i < m->values; i++, left--) {
        if (left == 0) left = (size_t)(1 + below(r, 40)), text = has_text && one_in(r, 3);
        if (!is_dense_float)
            set_label(m->targets, m->batch.target, i, (int64_t)text);
        else
            ((float *)m->targets)[i] = text && is_soft ? draw_probability(r, (int)below(r, 3)) : (float)text;
    }
    m->batch.targets = m->targets;
    m->batch.targets_count = m->values;
}

static uint8_t *draw_mask(random_numbers *r, size_t values) {
    uint8_t *mask = allocate(values, 1);
    int64_t left_out = one_in(r, 8) ? 1 : 2 + below(r, 6); /* all, or one in so many */
    for (size_t i = 0; i < values; i++) mask[i] = one_in(r, left_out) ? 0 : (uint8_t)(1 + below(r, 255));
    return mask;
}

static void draw_buffers(random_numbers *r, two_maps *m, const int *kinds) {
    for (int i = 0; i < 2; i++) {
        m->inputs[i] = allocate(m->values, sizeof(float));
        m->starts[i] = allocate(m->values, sizeof(float));
        for (size_t v = 0; v < m->values; v++) {
            m->inputs[i][v] = draw_input(r, m->spec.activation, kinds[i]);
            m->starts[i][v] = (float)(below(r, 1 << 16) - (1 << 15)) * 0x1p-24f;
        }
    }
    m->threshold_map = allocate(m->values, sizeof(float));
    for (size_t v = 0; v < m->values; v++) m->threshold_map[v] = draw_probability(r, (int)below(r, 3));
    if (one_in(r, 2)) m->mask = draw_mask(r, m->values);
    if (one_in(r, 2)) m->threshold_mask = draw_mask(r, m->values);
    draw_text(r, m);
    m->batch.map = (closs_map){.values = m->inputs[0], .count = m->values};
    m->batch.threshold = (closs_map){.values = m->inputs[1], .count = m->values};
    m->batch.threshold_map = m->threshold_map;
    m->batch.threshold_map_count = m->values;
    m->batch.mask = m->mask;
    m->batch.mask_count = m->mask ? m->values : 0;
    m->batch.threshold_mask = m->threshold_mask;
    m->batch.threshold_mask_count = m->threshold_mask ? m->values : 0;
}

two_maps draw_binarization(uint64_t seed, closs_activation activation, closs_binarization_main main, int64_t samples,
                           int64_t voxels) {
    random_numbers r = {seed * UINT64_C(0x2545f4914f6cdd1d)};
    two_maps m = {.values = (size_t)(samples * voxels),
                  .spec = {.samples = samples,
                           .voxels = voxels,
                           .activation = activation,
                           .main = main,
                           .threads = threads,
                           .isa = isa}};
    draw_spec(&r, &m.spec);
    m.write = one_in(&r, 3) ? CLOSS_ADD : CLOSS_OVERWRITE;
    m.scale = one_in(&r, 3) ? (float)(1 + below(&r, 1000)) * 0x1p-6f : 1;
    int kinds[2];
    for (int i = 0; i < 2; i++) kinds[i] = (int)below(&r, INPUT_KINDS);
    draw_buffers(&r, &m, kinds);
    snprintf(m.name, sizeof m.name,
             "binarization %03" PRIu64 " %s %" PRId64 "x%" PRId64 " %s-%g %s%s%s"
             " %s-%s%s%s",
             seed, activation == CLOSS_SIGMOID ? "sigmoid" : "probabilities", samples, voxels,
             main == CLOSS_BINARIZATION_DICE ? "dice" : "balanced", m.spec.steepness,
             m.batch.target == CLOSS_DENSE_F32 ? "dense-f32" : "dense-u8", m.mask ? " mask" : "",
             m.threshold_mask ? " threshold-mask" : "", input_kind_name(kinds[0]), input_kind_name(kinds[1]),
             m.write == CLOSS_ADD ? " add" : "", m.scale == 1 ? "" : " scaled");
    return m;
}

void free_binarization(two_maps *m) {
    for (int i = 0; i < 2; i++) {
        free(m->inputs[i]);
        free(m->starts[i]);
    }
    free(m->threshold_map);
    free(m->targets);
    free(m->mask);
    free(m->threshold_mask);
}
