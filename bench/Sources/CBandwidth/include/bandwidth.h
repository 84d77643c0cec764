/* The speed of this machine's memory, the limit that the bench holds every kernel against; and memory to bench in. */
#ifndef BENCH_BANDWIDTH_H
#define BENCH_BANDWIDTH_H

#include <stddef.h>

typedef struct bandwidth {
    double copy_bytes_per_second; /* bytes read plus bytes written, by non-temporal stores of whole cache lines */
    double read_bytes_per_second;
} bandwidth;

/* Measures with `threads` threads, each on its own slice of two arrays of `bytes` bytes each, and gives the
 * median of the speeds of `repeats` passes, of the better variant of reading. `bytes` should be many times the last
 * cache. Returns 0, or -1 where there is no memory. */
int bandwidth_measure(size_t bytes, int threads, int repeats, bandwidth *result);

/* Cache-line aligned memory, every page touched: the same for the bandwidth's arrays and for the kernels' buffers, so
 * that both meet the same kind of pages. NULL where there is none. */
void *bench_allocate(size_t bytes);
void bench_free(void *memory);

#endif
