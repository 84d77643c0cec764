/* The two loops that touch memory as fast as this machine can, by its widest instruction set. */
#ifndef BENCH_STREAMS_H
#define BENCH_STREAMS_H

#include <stddef.h>
#include <stdint.h>

enum { line_bytes = 64 };

/* A cache line; one AVX-512 register, two of AVX2, four of NEON. */
typedef uint64_t cache_line __attribute__((vector_size(64)));

/* Moves or reads `lines` cache lines, a multiple of 8. A reader has no use for `to`. */
typedef void stream(cache_line *to, const cache_line *from, size_t lines);

stream *best_copy(void);
stream *best_read(void);            /* one sequence of addresses */
stream *best_read_two_streams(void); /* two: some machines fetch ahead for more than one at a time */

#endif
