#include "driver/distance_passes.h"

#include "driver/parallel.h"
#include "kernels/formula.h"
#include "kernels/rooms.h"

static int64_t longest_line(const distance_job *job) { return job->planes > job->rows ? job->planes : job->rows; }

size_t distance_squares_bytes(const distance_job *job) {
    return room_bytes(2 * 2 * (size_t)longest_line(job) * distance_element(&job->metric));
}

static void fill_axis(const distance_job *job, int axis, void *middle) {
    int64_t longest = longest_line(job);
    for (int64_t d = 1 - longest; d < longest; d++) {
        double squared = (double)(d * d) * job->metric.step[axis];
        if (job->metric.wide)
            ((double *)middle)[d] = squared;
        else
            ((int32_t *)middle)[d] = (int32_t)squared;
    }
}

void distance_fill_squares(distance_job *job, char *room) {
    for (int axis = 0; axis < 2; axis++) {
        char *middle = room + (size_t)((2 * axis + 1) * longest_line(job)) * distance_element(&job->metric);
        fill_axis(job, axis, middle);
        job->squares[axis] = middle;
    }
}

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

static int64_t blocks_of_map(const distance_job *job) {
    const int64_t lanes = distance_lanes(job);
    return (job->columns + lanes - 1) / lanes;
}

int distance_rooms(const distance_job *job, int64_t maps, int threads) {
    const int64_t blocks = maps * blocks_of_map(job);
    return blocks < threads ? (int)blocks : threads;
}

static void blocks_of_thread(void *context, int thread, int threads) {
    const distance_maps *maps = context;
    const distance_job *job = maps->job;
    const int64_t voxels = job->planes * job->rows * job->columns, lanes = distance_lanes(job);
    const int64_t blocks = blocks_of_map(job), all = maps->samples * maps->class_count * blocks;
    const size_t bytes = job->type == CLOSS_DISTANCE_FLOAT32 ? sizeof(float) : sizeof(uint16_t);
    for (int64_t i = all * thread / threads; i < all * (thread + 1) / threads; i++) {
        int64_t first = i / blocks * voxels;
        maps->kernels->block(job, maps->steps + first, i % blocks * lanes, maps->map + (size_t)first * bytes,
                             maps->blocks + (size_t)thread * distance_block_bytes(job));
    }
}

void distance_blocks_pass(const distance_maps *maps) { run_parallel(maps->rooms, blocks_of_thread, (void *)maps); }
