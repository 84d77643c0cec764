#include "driver/binarization_passes.h"

#include "driver/sweep.h"
#include "kernels/key.h"
#include "sums/wide.h"
#include "terms/pointwise.h"
#include "terms/region.h"
#include "terms/selection.h"

// Gradients larger than this go past the cache: they would only push out what is read again.
static const size_t STREAMING_BYTES = 4u << 20;

static binarization_run run_of(const binarization_maps *maps, int64_t sample, int64_t first, int64_t voxels) {
    binarization_run r = maps->first;
    int64_t place = sample * maps->first.voxels + first;
    r.map += sample * maps->map_stride + first;
    r.threshold += sample * maps->threshold_stride + first;
    r.targets = (const char *)r.targets + (size_t)place * target_bytes(r.target);
    if (r.mask) r.mask += place;
    r.threshold_map += place;
    if (r.threshold_mask) r.threshold_mask += place;
    if (r.map_gradient) r.map_gradient += sample * maps->map_gradient_stride + first;
    if (r.threshold_gradient) r.threshold_gradient += sample * maps->threshold_gradient_stride + first;
    r.voxels = voxels;
    return r;
}

static sweep sweep_of_maps(const binarization_maps *maps, sweep_body *body, void *context) {
    return (sweep){.rows = maps->samples,
                   .voxels = maps->first.voxels,
                   .threads = threads_for(maps->map_plan->threads, maps->samples * maps->first.voxels),
                   .body = body,
                   .context = context};
}

// ----------------------------------------------------------------------------------------------------- totals ----

typedef struct totals_context {
    const binarization_maps *maps;
    binarization_totals_words *totals;
} totals_context;

static fault total(void *context, int thread, int64_t sample, int64_t first, int64_t voxels) {
    (void)thread;
    const totals_context *c = context;
    const binarization_maps *maps = c->maps;
    binarization_totals_words *totals = c->totals;
    binarization_run r = run_of(maps, sample, first, voxels);
    binarization_sums sums = {0};
    if (maps->map_plan->kernels->binarization_totals(&r, &sums) != FAULT_NONE) return FAULT_FOUND;
    wide_add_shared(totals->product, sums.product);
    wide_add_shared(totals->binary, sums.binary);
    wide_add_shared(totals->target, sums.target);
    word_add_shared(&totals->positives, sums.positives);
    word_add_shared(&totals->negatives, sums.negatives);
    if (!r.balanced) {
        class_sums map = {.product = sums.map_product,
                          .probability = sums.map_probability,
                          .target = sums.target,
                          .count = sums.positives};
        run_sums of_map = {.valid = sums.positives + sums.negatives, .classes = &map};
        region_add(maps->map_plan, sample, 0, 1, r.target, &of_map, totals->map);
    }
    run_sums of_threshold = {.valid = sums.threshold_valid};
    of_threshold.loss[0] = sums.error;
    pointwise_add(maps->threshold_plan, sample, 0, 0, &of_threshold, totals->threshold);
    return FAULT_NONE;
}

int binarization_totals_pass(const binarization_maps *maps, binarization_totals_words *totals) {
    totals_context context = {maps, totals};
    sweep s = sweep_of_maps(maps, total, &context);
    return run_sweep(&s).found;
}

// --------------------------------------------------------------------------------------------------- gradient ----

typedef struct gradient_context {
    const binarization_maps *maps;
    const binarization_scaled *scaled;
    gradient_store store;
    int64_t *balanced_losses;
} gradient_context;

static void balanced_coefficients(const gradient_context *c, int64_t sample, int64_t first, run_coefficients *k) {
    const closs_plan *plan = c->maps->map_plan;
    const int64_t *words = c->scaled->map + plan->coefficients.selection + sample * TAKEN_WORDS;
    k->balanced = (float)load_double(&words[TAKEN_COEFFICIENT]) * c->scaled->scale;
    k->threshold = float_of_key((uint32_t)words[TAKEN_THRESHOLD]);
    k->tie_end = c->scaled->tie_ends[sample] - first;
}

static binarization_coefficients coefficients_of(const gradient_context *c, int64_t sample, int64_t first) {
    const binarization_scaled *scaled = c->scaled;
    const closs_plan *threshold = c->maps->threshold_plan;
    binarization_coefficients k = {.binary_target = scaled->binary_target, .binary_constant = scaled->binary_constant};
    k.error = (float)load_double(&scaled->threshold[pointwise_coefficient(threshold, 0, 0)]) * scaled->scale;
    if (c->maps->first.balanced) {
        balanced_coefficients(c, sample, first, &k.map);
    } else {
        float map[REGION_SLOPES];
        int hard = c->maps->first.target != CLOSS_DENSE_F32;
        region_scaled_slopes(c->maps->map_plan, scaled->map, sample, 0, 1, hard, scaled->scale, map);
        k.map_target = map[SLOPE_TARGET];
        k.map_other = map[SLOPE_OTHER];
    }
    return k;
}

static fault write(void *context, int thread, int64_t sample, int64_t first, int64_t voxels) {
    (void)thread;
    const gradient_context *c = context;
    binarization_run r = run_of(c->maps, sample, first, voxels);
    r.store = c->store;
    binarization_coefficients k = coefficients_of(c, sample, first);
    __int128 loss = c->maps->map_plan->kernels->binarization_gradient(&r, &k);
    if (r.balanced) wide_add_shared(c->balanced_losses + sample * WIDE_WORDS, loss);
    return FAULT_NONE;
}

// Whether every row of a gradient begins a cache line.
static int has_whole_lines(const float *gradient, int64_t stride) {
    return ((uintptr_t)gradient | (uintptr_t)stride * sizeof(float)) % 64 == 0;
}

static gradient_store store_of_maps(const binarization_maps *maps) {
    const binarization_run *r = &maps->first;
    if (r->store == STORE_ADD) return STORE_ADD;
    int whole_lines = has_whole_lines(r->map_gradient, maps->map_gradient_stride) &&
                      has_whole_lines(r->threshold_gradient, maps->threshold_gradient_stride);
    size_t bytes = (size_t)(maps->samples * r->voxels) * 2 * sizeof(float);
    return whole_lines && bytes >= STREAMING_BYTES ? STORE_STREAMING : STORE_PLAIN;
}

void binarization_gradient_pass(const binarization_maps *maps, const binarization_scaled *scaled,
                                int64_t *balanced_losses) {
    gradient_context context = {maps, scaled, store_of_maps(maps), balanced_losses};
    sweep s = sweep_of_maps(maps, write, &context);
    s.backwards = 1;
    run_sweep(&s);
}
