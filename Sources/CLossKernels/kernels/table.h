// The table of one instruction set. Included once by each isa_*.c, after it has said what its instruction set has.
#include "kernels/channel.h"
#include "kernels/select.h"
#include "kernels/softmax.h"
#include "kernels/survey.h"

static fault totals(const formula *f, const run *whole, run_sums *out) {
    return f->activation == CLOSS_SOFTMAX ? softmax_totals(f, whole, out) : channel_totals(f, whole, out);
}

// Streaming stores are ordered with nothing; whoever is told that the gradient is there must see it.
static void settle(const run *whole) {
    if (whole->store == STORE_STREAMING) __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void gradient(const formula *f, const run *whole, const run_coefficients *k, __int128 *balanced_loss) {
    if (f->activation == CLOSS_SOFTMAX)
        softmax_gradient(f, whole, k);
    else
        channel_gradients(f, whole, k, balanced_loss);
    settle(whole);
}

static fault totals_and_gradient(const formula *f, const run *whole, const run_coefficients *k, run_sums *out) {
    fault found = f->activation == CLOSS_SOFTMAX ? softmax_totals_and_gradient(f, whole, k, out)
                                                 : channel_totals_and_gradient(f, whole, k, out);
    settle(whole);
    return found;
}

#define KERNELS(name, set)                                                                                             \
    const kernels name = {set,                                                                                         \
                          totals,                                                                                      \
                          gradient,                                                                                    \
                          totals_and_gradient,                                                                         \
                          survey_run,                                                                                  \
                          selection_start,                                                                             \
                          selection_count,                                                                             \
                          selection_above,                                                                             \
                          selection_targets,                                                                           \
                          selection_in_window,                                                                         \
                          selection_ties,                                                                              \
                          negative_loss}
