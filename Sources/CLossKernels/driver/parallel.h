// Threads. parallel.c is the only place that knows OpenMP.
#ifndef CLOSS_DRIVER_PARALLEL_H
#define CLOSS_DRIVER_PARALLEL_H

#include <stddef.h>

#include "names.h"

// A call whose threads have rooms of their own in scratch takes no more.
enum { MOST_THREADS = 1024 };

typedef void parallel_body(void *context, int thread, int threads);

// The number of threads that a request (0: the default) stands for; at least 1.
int parallel_threads(int requested);

// How many of so many rooms a scratch holds, `fixed` bytes of which are for something else; it holds one at least. A
// scratch may be from a time when OpenMP's default was another.
static inline int rooms_held(int rooms, size_t bytes, size_t fixed, size_t room) {
    const size_t held = (bytes - fixed) / room;
    return held < (size_t)rooms ? (int)held : rooms;
}

// Runs the body on up to `threads` threads, in the contract's floating-point environment, and returns when all are
// done. The body is told how many threads there really are.
void run_parallel(int threads, parallel_body *body, void *context);

#endif
