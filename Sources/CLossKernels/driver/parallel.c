#include "driver/parallel.h"

#include "driver/environment.h"

static void run_one(parallel_body *body, void *context, int thread, int threads) {
    float_environment callers = environment_enter();
    body(context, thread, threads);
    environment_leave(callers);
}

#if defined(_OPENMP)

// libomp's header is not on every toolchain's search path.
extern int omp_get_max_threads(void);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);

int parallel_threads(int requested) { return requested > 0 ? requested : omp_get_max_threads(); }

void run_parallel(int threads, parallel_body *body, void *context) {
    if (threads <= 1) {
        run_one(body, context, 0, 1);
        return;
    }
#pragma omp parallel num_threads(threads)
    run_one(body, context, omp_get_thread_num(), omp_get_num_threads());
}

#else

int parallel_threads(int requested) {
    (void)requested;
    return 1;
}

void run_parallel(int threads, parallel_body *body, void *context) {
    (void)threads;
    run_one(body, context, 0, 1);
}

#endif
