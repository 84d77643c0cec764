#include "driver/sweep.h"

#include "driver/parallel.h"

typedef struct sweep_state {
    const sweep *sweep;
    int64_t row_blocks;
    int64_t fault_block; // the lowest first block of a run with a fault, or INT64_MAX
} sweep_state;

int threads_for(int threads, int64_t values) {
    int64_t useful = values / VALUES_PER_THREAD;
    return useful < 1 ? 1 : useful < threads ? (int)useful : threads;
}

// How far the run goes that begins (or, backwards, ends) at a block: to the end of the row, of the stretch or of what a
// kernel can take.
static int64_t run_blocks(int64_t within_row, int64_t within_stretch) {
    int64_t blocks = within_row < within_stretch ? within_row : within_stretch;
    int64_t most = RUN_VOXELS / BLOCK_VOXELS;
    return blocks < most ? blocks : most;
}

static fault work(sweep_state *state, int thread, int64_t block, int64_t blocks) {
    const sweep *s = state->sweep;
    int64_t first = block % state->row_blocks * BLOCK_VOXELS;
    int64_t voxels = blocks * BLOCK_VOXELS;
    if (first + voxels > s->voxels) voxels = s->voxels - first;
    return s->body(s->context, thread, s->first_row + block / state->row_blocks, first, voxels);
}

static void note_fault(sweep_state *state, int64_t block) {
    int64_t lowest = __atomic_load_n(&state->fault_block, __ATOMIC_RELAXED);
    while (block < lowest &&
           !__atomic_compare_exchange_n(&state->fault_block, &lowest, block, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

static void forwards(sweep_state *state, int thread, int64_t begin, int64_t end) {
    while (begin < end) {
        int64_t blocks = run_blocks(state->row_blocks - begin % state->row_blocks, end - begin);
        if (work(state, thread, begin, blocks) != FAULT_NONE) {
            note_fault(state, begin);
            return;
        }
        begin += blocks;
    }
}

static void backwards(sweep_state *state, int thread, int64_t begin, int64_t end) {
    while (begin < end) {
        int64_t within_row = (end - 1) % state->row_blocks + 1;
        int64_t blocks = run_blocks(within_row, end - begin);
        work(state, thread, end - blocks, blocks);
        end -= blocks;
    }
}

static void stretch(void *context, int thread, int threads) {
    sweep_state *state = context;
    int64_t all = state->sweep->rows * state->row_blocks;
    int64_t share = all / threads, rest = all % threads;
    int64_t begin = share * thread + (thread < rest ? thread : rest);
    int64_t end = begin + share + (thread < rest);
    (state->sweep->backwards ? backwards : forwards)(state, thread, begin, end);
}

sweep_fault run_sweep(const sweep *s) {
    sweep_state state = {s, (s->voxels + BLOCK_VOXELS - 1) / BLOCK_VOXELS, INT64_MAX};
    run_parallel(s->threads, stretch, &state);
    if (state.fault_block == INT64_MAX) return (sweep_fault){0};
    int64_t first = state.fault_block % state.row_blocks * BLOCK_VOXELS;
    int64_t voxels = s->voxels - first < RUN_VOXELS ? s->voxels - first : RUN_VOXELS;
    return (sweep_fault){1, s->sees, s->first_row + state.fault_block / state.row_blocks, first, voxels};
}
