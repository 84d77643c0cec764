// A look at a run before anything is computed of it: what a pointwise loss is divided by, and whether anything in the
// run must be refused. It reads and compares only, so that value and gradient can then be had in one sweep without
// risk to the caller's memory.
#ifndef CLOSS_KERNELS_SURVEY_H
#define CLOSS_KERNELS_SURVEY_H

#include "kernels/channel.h"
#include "kernels/softmax_sums.h"

typedef struct survey_state {
    vi32 largest_logit, largest_map; // bits of the magnitude
    vf32 largest_weight;
    vi32 bad;
} survey_state;

// An integer comparison orders magnitudes, and puts infinities and NaNs above all of them.
LANES_INLINE void survey_logits(const formula *f, const run *at, int classes, survey_state *state) {
    for (int c = 0; c < classes; c++) {
        vf32 input = f32_load(at->logits + c * at->class_stride);
        vi32 bits = bits_of(f32_abs(input));
        state->largest_logit = i32_select(bits > state->largest_logit, bits, state->largest_logit);
        if (f->activation == CLOSS_PROBABILITIES) state->bad |= ~((input >= 0) & (input <= 1)) & lanes_inside(at);
    }
}

LANES_INLINE void survey_map(const float *map, survey_state *state) {
    vi32 bits = bits_of(f32_abs(f32_load(map)));
    state->largest_map = i32_select(bits > state->largest_map, bits, state->largest_map);
}

LANES_INLINE vf32 survey_weights(const run *at, vi32 valid, survey_state *state) {
    vf32 weight = decode_weights(at, valid, &state->bad);
    state->largest_weight = f32_larger(weight, state->largest_weight);
    return weight;
}

LANES_INLINE void survey_softmax_block(const formula *f, const run *at, softmax_sums *sums, survey_state *state) {
    int soft = target_is_dense(at->target);
    block_labels labels =
        soft ? check_dense_targets(f, at, &state->bad) : mixed_labels(decode_labels(f, at, f->classes, &state->bad));
    sums->valid -= labels.valid;
    if (f->counts && !soft) count_labels(f->classes, &labels, sums);
    vf32 weight = at->weights ? survey_weights(at, labels.valid, state) : f32_keep(labels.valid, f32_splat(1));
    for (int k = 0; k < f->pointwise_count; k++)
        total_softmax_weight(f, &f->pointwise[k], k, soft, at, &labels, weight, sums);
}

static fault survey_softmax(const formula *f, const run *whole, int with_logits, survey_state *state, run_sums *out) {
    softmax_class classes[f->classes];
    softmax_sums sums;
    clear_softmax_sums(f, classes, &sums);
    FOR_EACH_BLOCK(whole, at, f->classes, {
        survey_softmax_block(f, &at, &sums, state);
        if (with_logits) survey_logits(f, &at, f->classes, state);
        for (int c = 0; f->maps && c < f->classes; c++) survey_map(at.maps + c * at.class_stride, state);
        sums.blocks++;
    });
    return finish_softmax_sums(f, whole, &sums, out);
}

LANES_INLINE void survey_channel_block(const formula *f, const run *at, const channel_values *x, int with_weights,
                                       int with_logits, channel_sums *sums, survey_state *state) {
    if (with_weights) {
        state->largest_weight = f32_larger(x->weight, state->largest_weight);
        if (f->pointwise_count) add_limited(&sums->weight, x->weight, &sums->beyond);
    }
    if (f->target_weights) add_limited(&sums->target_weight, x->weight * x->g, &sums->beyond);
    if (with_logits) survey_logits(f, at, 1, state);
    if (f->maps) survey_map(at->maps, state);
    sums->blocks++;
}

// The whole blocks of a run with targets of 0 or 1; gives back how many voxels that was.
LANES_INLINE int64_t survey_hard_blocks(const formula *f, const run *whole, int with_logits, channel_sums *sums,
                                        survey_state *state) {
    if (!has_hard_blocks(f, whole)) return 0;
    const target_code code = target_code_of(f, whole);
    stand_ins other = STAND_INS;
    survey_state seen = *state;
    channel_sums local = *sums;
    int64_t offset = 0;
    for (; offset + BLOCK_VOXELS <= whole->voxels; offset += BLOCK_VOXELS) {
        run at = hard_block(f, whole, &code, offset, &other);
        channel_values x;
        load_hard_target(&at, &code, &x, &local.hard);
        if (whole->weights) load_hard_weights(&at, &x, &local.hard);
        survey_channel_block(f, &at, &x, whole->weights != 0, with_logits, &local, &seen);
    }
    *state = seen;
    *sums = local;
    return offset;
}

static fault survey_channel(const formula *f, const run *whole, int with_logits, survey_state *state, run_sums *out) {
    channel_sums sums = {0};
    int64_t done =
        with_logits ? survey_hard_blocks(f, whole, 1, &sums, state) : survey_hard_blocks(f, whole, 0, &sums, state);
    const run rest = run_from(whole, done);
    FOR_EACH_BLOCK(&rest, at, 1, {
        channel_values x;
        load_target(f, &at, &x, &state->bad);
        x.weight = decode_weights(&at, x.valid, &state->bad);
        sums.valid -= x.valid;
        survey_channel_block(f, &at, &x, at.weights != 0, with_logits, &sums, state);
    });
    return finish_channel_sums(f, whole, &sums, out);
}

static fault survey_run(const formula *f, const run *whole, int with_logits, run_survey *found, run_sums *out) {
    survey_state state = {.largest_weight = f32_splat(whole->weights ? 0 : 1)};
    fault outcome = f->activation == CLOSS_SOFTMAX ? survey_softmax(f, whole, with_logits, &state, out)
                                                   : survey_channel(f, whole, with_logits, &state, out);
    found->largest_logit_bits = (uint32_t)__builtin_reduce_max(state.largest_logit);
    found->largest_map_bits = (uint32_t)__builtin_reduce_max(state.largest_map);
    found->largest_weight = 0;
    for (int j = 0; j < LANES; j++)
        if (state.largest_weight[j] > found->largest_weight) found->largest_weight = state.largest_weight[j];
    if (i32_any(state.bad) || found->largest_logit_bits >= 0x7f800000u || found->largest_map_bits >= 0x7f800000u)
        return FAULT_FOUND;
    return outcome;
}

#endif
