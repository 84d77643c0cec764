#define _POSIX_C_SOURCE 200112L /* barriers, clock_gettime */
#include "bandwidth.h"
#include "streams.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static double seconds_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

typedef struct slice {
    stream *run;
    cache_line *to;
    const cache_line *from;
    size_t lines;
    pthread_barrier_t *barrier;
    int repeats;
    double start, end; /* of this thread's last pass */
    struct slice *all; /* of `threads` slices, the first of which keeps the time */
    int threads;
    double *seconds; /* [repeats], of whole passes; the first slice fills them in */
} slice;

/* From the first thread's start to the last one's end. One thread's own time would be too short where it was late. */
static double pass_seconds(const slice *all, int threads) {
    double start = all[0].start, end = all[0].end;
    for (int i = 1; i < threads; i++) {
        if (all[i].start < start) start = all[i].start;
        if (all[i].end > end) end = all[i].end;
    }
    return end - start;
}

static void *run_slice(void *argument) {
    slice *mine = argument;
    for (int i = 0; i < mine->repeats; i++) {
        pthread_barrier_wait(mine->barrier);
        mine->start = seconds_now();
        mine->run(mine->to, mine->from, mine->lines);
        mine->end = seconds_now();
        pthread_barrier_wait(mine->barrier);
        if (mine != mine->all) continue; /* waits for the first at the barrier above */
        mine->seconds[i] = pass_seconds(mine->all, mine->threads);
    }
    return NULL;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median, as of the kernels' times: a limit by the best passes would be compared with the kernels' middling ones. */
static double median_pass(double *seconds, int repeats) {
    qsort(seconds, (size_t)repeats, sizeof *seconds, by_value);
    return seconds[repeats / 2];
}

/* Seconds of the median pass over all of `lines`, or a negative number where there is no memory. */
static double time_passes(stream *run, cache_line *to, const cache_line *from, size_t lines, int threads, int repeats) {
    slice *slices = calloc((size_t)threads, sizeof *slices);
    pthread_t *handles = calloc((size_t)threads, sizeof *handles);
    double *passes = calloc((size_t)repeats, sizeof *passes);
    pthread_barrier_t barrier;
    double seconds = -1;
    if (slices && handles && passes && pthread_barrier_init(&barrier, NULL, (unsigned)threads) == 0) {
        size_t share = lines / (size_t)threads / 8 * 8;
        for (int i = 0; i < threads; i++) {
            size_t first = share * (size_t)i;
            slices[i] = (slice){.run = run, .to = to + first, .from = from + first, .lines = share, .barrier = &barrier,
                                .repeats = repeats, .all = slices, .threads = threads, .seconds = passes};
            /* The others would wait at the barrier for ever for a thread that is not there. */
            if (pthread_create(&handles[i], NULL, run_slice, &slices[i]) != 0) abort();
        }
        for (int i = 0; i < threads; i++) pthread_join(handles[i], NULL);
        seconds = median_pass(passes, repeats);
        pthread_barrier_destroy(&barrier);
    }
    free(passes);
    free(slices);
    free(handles);
    return seconds;
}

struct bandwidth_arrays {
    cache_line *from, *to;
    size_t lines;
};

bandwidth_arrays *bandwidth_arrays_create(size_t bytes) {
    bandwidth_arrays *arrays = calloc(1, sizeof *arrays);
    if (!arrays) return NULL;
    *arrays = (bandwidth_arrays){bench_allocate(bytes), bench_allocate(bytes), bytes / line_bytes};
    if (arrays->from && arrays->to) return arrays;
    bandwidth_arrays_destroy(arrays);
    return NULL;
}

void bandwidth_arrays_destroy(bandwidth_arrays *arrays) {
    bench_free(arrays->from);
    bench_free(arrays->to);
    free(arrays);
}

static double moved_per_second(const bandwidth_arrays *arrays, stream *run, int threads, int repeats) {
    double seconds = time_passes(run, arrays->to, arrays->from, arrays->lines, threads, repeats);
    return (double)(arrays->lines * line_bytes) / seconds;
}

double bandwidth_measure(const bandwidth_arrays *arrays, bandwidth_kind kind, int threads, int repeats) {
    if (kind == BANDWIDTH_COPY) return 2 * moved_per_second(arrays, best_copy(), threads, repeats);
    double one = moved_per_second(arrays, best_read(), threads, repeats);
    double two = moved_per_second(arrays, best_read_two_streams(), threads, repeats);
    return one < 0 || two < 0 ? -1 : one > two ? one : two;
}
