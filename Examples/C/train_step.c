/* A training step with SegLoss in C: Dice + cross entropy of a small image with three classes, its gradient, a few
 * steps downhill, and the same bits from two micro-batches.
 *
 *     cc -std=c99 train_step.c $(pkg-config --cflags --libs segloss) && ./a.out
 */
#include <closs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAMPLES = 2,
    CLASSES = 3,
    HEIGHT = 48,
    WIDTH = 64,
    VOXELS = HEIGHT * WIDTH,
    VALUES = SAMPLES * CLASSES * VOXELS
};

/* A network would put these out; here they are what is trained. */
static float logits[VALUES]; /* [samples][classes][voxels] */
static float gradient[VALUES], gradient_of_parts[VALUES];
static uint8_t labels[SAMPLES * VOXELS]; /* [samples][voxels] */

/* Every call returns a status; the error says what was wrong, where, and what was expected. */
static closs_error error;

static void must(closs_status status) {
    if (status == CLOSS_OK) return;
    fprintf(stderr, "%s: %s\n", closs_status_text(status), error.message);
    exit(1);
}

/* Background 0, a disc of class 1 and a bar of class 2. */
static void draw_labels(void) {
    for (int s = 0; s < SAMPLES; s++)
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++) {
                int dx = x - 20 - 8 * s, dy = y - 24, in_disc = dx * dx + dy * dy < 12 * 12, in_bar = x >= 50 && x < 58;
                labels[(s * HEIGHT + y) * WIDTH + x] = (uint8_t)(in_disc ? 1 : in_bar ? 2 : 0);
            }
}

/* One sample of the batch, as a part of it. A part's buffers hold the part alone. */
static closs_batch micro_batch(int sample) {
    closs_batch part = {0};
    part.logits = logits + sample * CLASSES * VOXELS;
    part.logits_count = CLASSES * VOXELS;
    part.target = CLOSS_LABELS_U8;
    part.targets = labels + sample * VOXELS;
    part.targets_count = VOXELS;
    part.first_sample = sample;
    part.sample_count = 1;
    return part;
}

int main(void) {
    draw_labels();

    /* The loss: Dice + 0.5 cross entropy. What is left out is 0, and 0 is the usual choice. */
    closs_term terms[2] = {
        {.kind = CLOSS_DICE, .weight = 1, .of.region = {.smooth_numerator = 1e-5, .smooth_denominator = 1e-5}},
        {.kind = CLOSS_CROSS_ENTROPY, .weight = 0.5, .of.cross_entropy = {.label_smoothing = 0.1}},
    };
    closs_spec spec = {
        .shape = {SAMPLES, CLASSES, VOXELS}, .activation = CLOSS_SOFTMAX, .terms = terms, .term_count = 2};

    /* The plan checks all of it, once. It never changes, and any number of threads may share it. */
    closs_plan *plan;
    must(closs_plan_create(&spec, &plan, &error));

    /* All other memory is the caller's; each thread that calls needs scratch of its own. */
    size_t scratch_bytes = closs_scratch_bytes(plan);
    size_t totals_count = closs_totals_count(plan), coefficients_count = closs_coefficients_count(plan);
    void *scratch = malloc(scratch_bytes);
    int64_t *totals = calloc(totals_count, sizeof *totals); /* sums: all 0 at first */
    int64_t *coefficients = malloc(coefficients_count * sizeof *coefficients);
    if (!scratch || !totals || !coefficients) return 1;

    /* Train: value and gradient in one call, then a step against the gradient. */
    closs_batch batch = {.logits = logits,
                         .logits_count = VALUES,
                         .target = CLOSS_LABELS_U8,
                         .targets = labels,
                         .targets_count = SAMPLES * VOXELS};
    closs_gradient_buffer into = {.values = gradient, .count = VALUES, .write = CLOSS_OVERWRITE, .scale = 1};
    double term_values[2], per_class[2][CLASSES];
    closs_result result = {
        .terms = term_values, .terms_count = 2, .per_class = per_class[0], .per_class_count = 2 * CLASSES};
    double first_value = 0;
    for (int step = 0; step <= 5; step++) {
        must(closs_evaluate(plan, &batch, &into, &result, scratch, scratch_bytes, &error));
        printf("step %d: loss %.6f = Dice %.6f + 0.5 * cross entropy %.6f; Dice of the classes %.4f %.4f %.4f\n", step,
               result.value, term_values[0], term_values[1], per_class[0][0], per_class[0][1], per_class[0][2]);
        if (step == 0) first_value = result.value;
        if (step == 5) break;
        /* The gradient of a mean over voxels is small for each of them. */
        for (int i = 0; i < VALUES; i++) logits[i] -= 2.0f * SAMPLES * VOXELS * gradient[i];
    }

    /* The same batch as two micro-batches, by the four verbs: plan, accumulate, finish, gradient. The Dice of the batch
     * is exact, not a mean of the parts' Dice. Between ranks, closs_stage_words tells which words to add up. */
    for (int stage = 0; stage < closs_stage_count(plan); stage++)
        for (int sample = 0; sample < SAMPLES; sample++) {
            closs_batch part = micro_batch(sample);
            must(closs_accumulate(plan, stage, &part, totals, totals_count, scratch, scratch_bytes, &error));
        }
    closs_result of_parts = {0};
    must(closs_finish(plan, totals, totals_count, &of_parts, coefficients, coefficients_count, &error));
    for (int sample = 0; sample < SAMPLES; sample++) {
        closs_batch part = micro_batch(sample);
        closs_gradient_buffer out = {.values = gradient_of_parts + sample * CLASSES * VOXELS,
                                     .count = CLASSES * VOXELS,
                                     .write = CLOSS_OVERWRITE,
                                     .scale = 1};
        must(closs_gradient(plan, coefficients, coefficients_count, &part, &out, scratch, scratch_bytes, &error));
    }
    int same = memcmp(&of_parts.value, &result.value, sizeof result.value) == 0 &&
               memcmp(gradient_of_parts, gradient, sizeof gradient) == 0;
    printf("two micro-batches: loss %.6f, %s\n", of_parts.value, same ? "the same bits" : "OTHER BITS");

    /* What a refusal looks like. Nothing of the caller's has changed. */
    labels[100] = 7;
    closs_status status = closs_evaluate(plan, &batch, &into, &result, scratch, scratch_bytes, &error);
    printf("a bad label: %s: %s\n", closs_status_text(status), error.message);

    free(coefficients);
    free(totals);
    free(scratch);
    closs_plan_destroy(plan);
    return same && result.value < first_value && status == CLOSS_BAD_LABEL ? 0 : 1;
}
