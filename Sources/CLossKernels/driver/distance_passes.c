#include "driver/distance_passes.h"

#include "driver/parallel.h"
#include "kernels/formula.h"

static void rows_of_thread(void *context, int thread, int threads) {
    const distance_maps *maps = context;
    const distance_job *job = maps->job;
    const int64_t rows = job->planes * job->rows, all = maps->samples * rows, voxels = rows * job->columns;
    for (int64_t i = all * thread / threads; i < all * (thread + 1) / threads; i++) {
        int64_t sample = i / rows, row = i % rows;
        const char *labels = maps->labels + (size_t)(i * job->columns) * target_bytes(maps->target);
        for (int c = 0; c < maps->class_count; c++)
            maps->kernels->row(job, maps->target, labels, maps->classes ? maps->classes[c] : c,
                               maps->steps + (sample * maps->class_count + c) * voxels + row * job->columns);
    }
}

void distance_rows_pass(const distance_maps *maps) { run_parallel(maps->threads, rows_of_thread, (void *)maps); }

static void blocks_of_thread(void *context, int thread, int threads) {
    const distance_maps *maps = context;
    const distance_job *job = maps->job;
    const int64_t voxels = job->planes * job->rows * job->columns, lanes = distance_lanes(job);
    const int64_t blocks = (job->columns + lanes - 1) / lanes, all = maps->samples * maps->class_count * blocks;
    const size_t bytes = job->type == CLOSS_DISTANCE_FLOAT32 ? sizeof(float) : sizeof(uint16_t);
    for (int64_t i = all * thread / threads; i < all * (thread + 1) / threads; i++) {
        int64_t first = i / blocks * voxels;
        maps->kernels->block(job, maps->steps + first, i % blocks * lanes, maps->map + (size_t)first * bytes,
                             maps->blocks + (size_t)thread * distance_block_bytes(job));
    }
}

void distance_blocks_pass(const distance_maps *maps) { run_parallel(maps->threads, blocks_of_thread, (void *)maps); }
