/* The speed of this machine's memory, the limit that the bench holds every kernel against; and memory to bench in. */
#ifndef BENCH_BANDWIDTH_H
#define BENCH_BANDWIDTH_H

#include <stddef.h>

typedef enum bandwidth_kind {
    BANDWIDTH_COPY, /* bytes read plus bytes written, by non-temporal stores of whole cache lines */
    BANDWIDTH_READ  /* the better of two ways of reading */
} bandwidth_kind;

/* Two arrays to move bytes in, made once: measuring takes little longer than the passes themselves. */
typedef struct bandwidth_arrays bandwidth_arrays;

/* Of `bytes` bytes each, which should be many times the last cache. NULL where there is no memory. */
bandwidth_arrays *bandwidth_arrays_create(size_t bytes);
void bandwidth_arrays_destroy(bandwidth_arrays *arrays);

/* Bytes per second with `threads` threads, each on its own slice of the arrays: the median of `repeats` passes.
 * Negative where there is no memory. */
double bandwidth_measure(const bandwidth_arrays *arrays, bandwidth_kind kind, int threads, int repeats);

/* Cache-line aligned memory, every page touched: the same for the bandwidth's arrays and for the kernels' buffers, so
 * that both meet the same kind of pages. NULL where there is none. */
void *bench_allocate(size_t bytes);
void bench_free(void *memory);

#endif
