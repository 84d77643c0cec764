#include "driver/binarization_passes.h"

#include "driver/sweep.h"
#include "sums/wide.h"

typedef struct binarization_work {
    const binarization_maps *maps;
    int64_t *words;
    float target, constant;
} binarization_work;

static binarization_run run_of(const binarization_maps *maps, int64_t sample, int64_t first, int64_t voxels) {
    binarization_run r = maps->first;
    int64_t place = sample * maps->first.voxels + first;
    r.map += sample * maps->map_stride + first;
    r.threshold += sample * maps->threshold_stride + first;
    r.targets = (const char *)r.targets + (size_t)place * target_bytes(r.target);
    if (r.mask) r.mask += place;
    if (r.map_gradient) r.map_gradient += sample * maps->map_gradient_stride + first;
    if (r.threshold_gradient) r.threshold_gradient += sample * maps->threshold_gradient_stride + first;
    r.voxels = voxels;
    return r;
}

static fault total(void *context, int thread, int64_t sample, int64_t first, int64_t voxels) {
    (void)thread;
    binarization_work *work = context;
    binarization_run r = run_of(work->maps, sample, first, voxels);
    binarization_sums sums;
    work->maps->kernels->binarization_totals(&r, &sums);
    wide_add_shared(work->words, sums.product);
    wide_add_shared(work->words + 2, sums.map);
    wide_add_shared(work->words + 4, sums.target);
    return FAULT_NONE;
}

static fault write(void *context, int thread, int64_t sample, int64_t first, int64_t voxels) {
    (void)thread;
    binarization_work *work = context;
    binarization_run r = run_of(work->maps, sample, first, voxels);
    work->maps->kernels->binarization_gradient(&r, work->target, work->constant);
    return FAULT_NONE;
}

static void sweep_maps(binarization_work *work, sweep_body *body) {
    const binarization_maps *maps = work->maps;
    sweep s = {.rows = maps->samples,
               .voxels = maps->first.voxels,
               .threads = threads_for(maps->threads, maps->samples * maps->first.voxels),
               .body = body,
               .context = work};
    run_sweep(&s);
}

void binarization_totals_pass(const binarization_maps *maps, int64_t *words) {
    binarization_work work = {.maps = maps, .words = words};
    sweep_maps(&work, total);
}

void binarization_gradient_pass(const binarization_maps *maps, float target, float constant) {
    binarization_work work = {.maps = maps, .target = target, .constant = constant};
    sweep_maps(&work, write);
}
