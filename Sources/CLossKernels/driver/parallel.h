// Threads. parallel.c is the only place that knows OpenMP.
#ifndef CLOSS_DRIVER_PARALLEL_H
#define CLOSS_DRIVER_PARALLEL_H

#include "names.h"

// A call whose threads have rooms of their own in scratch takes no more.
enum { MOST_THREADS = 1024 };

typedef void parallel_body(void *context, int thread, int threads);

// The number of threads that a request (0: the default) stands for; at least 1.
int parallel_threads(int requested);

// Runs the body on up to `threads` threads, in the contract's floating-point environment, and returns when all are
// done. The body is told how many threads there really are.
void run_parallel(int threads, parallel_body *body, void *context);

#endif
