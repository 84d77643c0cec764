/* Run under the thread sanitizer, built together with the kernels: callers on many threads that share plans and inputs,
 * and OpenMP inside them. Every result must have the bits of a call on one thread.
 *
 * The check must be able to fail. With -DPLANT_RACE=1 the callers share scratch, which the header forbids; with
 * -DPLANT_RACE=2 an OpenMP region counts without care. The sanitizer must find either.
 */
#include <closs.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PLANT_RACE
#define PLANT_RACE 0
#endif

enum {
    CALLERS = 8,
    ROUNDS = 3,
    SAMPLES = 2,
    VOXELS = 265 * 151,
    MOST_CLASSES = 3,
    MOST_VALUES = SAMPLES * MOST_CLASSES * VOXELS
};

typedef struct scene {
    const char *name;
    closs_activation activation;
    int64_t classes;
    closs_term terms[2];
    size_t term_count;
    closs_extents extents;
} scene;

static const scene SCENES[] = {
    {"softmax Dice + cross entropy",
     CLOSS_SOFTMAX,
     3,
     {{.kind = CLOSS_DICE, .weight = 1, .of.region = {.smooth_denominator = 1}},
      {.kind = CLOSS_CROSS_ENTROPY, .weight = 0.5}},
     2},
    {"softmax cross entropy", CLOSS_SOFTMAX, 3, {{.kind = CLOSS_CROSS_ENTROPY, .weight = 1}}, 1},
    {"sigmoid focal", CLOSS_SIGMOID, 1, {{.kind = CLOSS_FOCAL, .weight = 1, .of.focal = {.gamma = 2}}}, 1},
    {"balanced binary cross entropy",
     CLOSS_SIGMOID,
     1,
     {{.kind = CLOSS_BALANCED_BINARY_CROSS_ENTROPY,
       .weight = 1,
       .of.balanced_binary_cross_entropy = {.negative_ratio = 3, .scope = CLOSS_PER_BATCH}}},
     1},
    {"balanced binary cross entropy of each sample",
     CLOSS_SIGMOID,
     1,
     {{.kind = CLOSS_BALANCED_BINARY_CROSS_ENTROPY,
       .weight = 1,
       .of.balanced_binary_cross_entropy = {.negative_ratio = 3, .scope = CLOSS_PER_SAMPLE}}},
     1},
};

/* Terms that sort, and terms that measure: theirs are passes of other kinds. */
static const scene PASSES[] = {
    {"Lovasz softmax", CLOSS_SOFTMAX, 3, {{.kind = CLOSS_LOVASZ_SOFTMAX, .weight = 1}}, 1, {0}},
    {"boundary",
     CLOSS_SOFTMAX,
     3,
     {{.kind = CLOSS_BOUNDARY, .weight = 1, .of.distance = {.inner_boundary = CLOSS_INNER_ZERO}}},
     1,
     {1, 265, 151}},
    {"Hausdorff",
     CLOSS_SIGMOID,
     2,
     {{.kind = CLOSS_HAUSDORFF, .weight = 1, .of.distance = {.alpha = 2, .spacing = {1, 2, 0.5}}}},
     1,
     {5, 53, 151}},
    {"boundary and Hausdorff, the logarithm",
     CLOSS_SOFTMAX,
     3,
     {{.kind = CLOSS_BOUNDARY, .weight = 1},
      {.kind = CLOSS_HAUSDORFF, .weight = 1, .of.distance = {.alpha = 1, .logarithm = 1}}},
     2,
     {1, 265, 151}},
};

static float logits[MOST_VALUES];
static uint8_t labels[SAMPLES * VOXELS];

static void draw(const scene *s) {
    uint64_t state = 1;
    for (size_t i = 0; i < MOST_VALUES; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        logits[i] = (float)((int32_t)(state >> 40) - (1 << 23)) * 0x1p-20f;
        if (i < SAMPLES * VOXELS) labels[i] = (uint8_t)((state >> 33) % (s->classes == 1 ? 2 : (uint64_t)s->classes));
    }
}

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes);
    if (!memory) abort();
    return memory;
}

static closs_plan *make_plan(const scene *s, int threads) {
    closs_spec spec = {.shape = {SAMPLES, s->classes, VOXELS},
                       .activation = s->activation,
                       .terms = s->terms,
                       .term_count = s->term_count,
                       .extents = s->extents,
                       .threads = threads};
    closs_plan *plan;
    closs_error error;
    if (closs_plan_create(&spec, &plan, &error) == CLOSS_OK) return plan;
    fprintf(stderr, "%s: %s\n", s->name, error.message);
    exit(2);
}

static double evaluate(const scene *s, const closs_plan *plan, void *scratch, float *gradient) {
    size_t values = (size_t)(SAMPLES * s->classes * VOXELS);
    closs_batch batch = {.logits = logits,
                         .logits_count = values,
                         .target = CLOSS_LABELS_U8,
                         .targets = labels,
                         .targets_count = SAMPLES * VOXELS};
    closs_gradient_buffer into = {gradient, values, CLOSS_OVERWRITE, 1};
    closs_result result = {0};
    closs_error error;
    if (closs_evaluate(plan, &batch, &into, &result, scratch, closs_scratch_bytes(plan), &error) == CLOSS_OK)
        return result.value;
    fprintf(stderr, "%s: %s\n", s->name, error.message);
    exit(2);
}

typedef struct caller {
    const scene *scene;
    const closs_plan *plan;
    void *scratch;
    double expected_value;
    const float *expected_gradient;
    int same;
} caller;

static void *call(void *context) {
    caller *c = context;
    size_t bytes = (size_t)(SAMPLES * c->scene->classes * VOXELS) * sizeof(float);
    float *gradient = allocate(bytes);
    c->same = 1;
    for (int round = 0; round < ROUNDS; round++) {
        memset(gradient, 0xff, bytes);
        double value = evaluate(c->scene, c->plan, c->scratch, gradient);
        c->same &=
            memcmp(&value, &c->expected_value, sizeof value) == 0 && memcmp(gradient, c->expected_gradient, bytes) == 0;
    }
    free(gradient);
    return NULL;
}

/* `callers` threads at once, each on up to `threads` OpenMP threads, all with one plan. */
static int run(const scene *s, int callers, int threads, double expected_value, const float *expected_gradient) {
    closs_plan *plan = make_plan(s, threads);
    pthread_t ids[CALLERS];
    caller all[CALLERS];
    void *shared = allocate(closs_scratch_bytes(plan));
    for (int i = 0; i < callers; i++) {
        all[i] = (caller){
            s, plan, PLANT_RACE == 1 ? shared : allocate(closs_scratch_bytes(plan)), expected_value, expected_gradient,
            0};
        if (pthread_create(&ids[i], NULL, call, &all[i])) abort();
    }
    int same = 1;
    for (int i = 0; i < callers; i++) {
        pthread_join(ids[i], NULL);
        same &= all[i].same;
        if (PLANT_RACE != 1) free(all[i].scratch);
    }
    free(shared);
    closs_plan_destroy(plan);
    printf("%s: %d callers, %d OpenMP threads each: %s\n", s->name, callers, threads,
           same ? "the same bits" : "OTHER BITS");
    return same;
}

/* ---------------------------------------------------------------------------------------- metrics and maps ---- */

/* Calls without a plan: each with scratch and results of its own, all with the same input. */
enum { TOOL_CLASSES = 3, THRESHOLDS = 3, ROWS = 100, COLUMNS = 400, TOOL_VOXELS = ROWS * COLUMNS };

static uint8_t predicted[SAMPLES * VOXELS];
static float probabilities[MOST_VALUES];
static const float LEVELS[THRESHOLDS] = {0.25f, 0.5f, 0.75f};

static void draw_tools(void) {
    for (size_t i = 0; i < SAMPLES * VOXELS; i++) {
        labels[i] = (uint8_t)(i / 37 % 5 % TOOL_CLASSES);
        predicted[i] = (uint8_t)(i / 41 % 7 % TOOL_CLASSES);
    }
    for (size_t i = 0; i < MOST_VALUES; i++) probabilities[i] = (float)(i * 37 % 1001) / 1001;
}

/* `scratch` NULL: gives back the bytes that it needs, and calls nothing. */
typedef size_t tool_call(int threads, void *result, void *scratch, size_t bytes, closs_error *error);

static closs_metric_batch tool_batch(const void *predictions, size_t count, size_t voxels) {
    return (closs_metric_batch){.predictions = predictions,
                                .predictions_count = count,
                                .predicted = CLOSS_LABELS_U8,
                                .target = CLOSS_LABELS_U8,
                                .targets = labels,
                                .targets_count = voxels};
}

static size_t call_confusion(int threads, void *result, void *scratch, size_t bytes, closs_error *error) {
    closs_confusion_spec spec = {
        .shape = {SAMPLES, TOOL_CLASSES, VOXELS}, .prediction = CLOSS_PREDICTED_LOGITS, .threads = threads};
    closs_metric_batch batch = tool_batch(logits, MOST_VALUES, SAMPLES * VOXELS);
    if (!scratch) return closs_confusion_scratch_bytes(&spec);
    return closs_confusion(&spec, &batch, result, SAMPLES * TOOL_CLASSES * TOOL_CLASSES, scratch, bytes, error);
}

static size_t call_thresholds(int threads, void *result, void *scratch, size_t bytes, closs_error *error) {
    closs_threshold_spec spec = {.shape = {SAMPLES, TOOL_CLASSES, VOXELS},
                                 .activation = CLOSS_PROBABILITIES,
                                 .thresholds = LEVELS,
                                 .threshold_count = THRESHOLDS,
                                 .threads = threads};
    closs_metric_batch batch = tool_batch(probabilities, MOST_VALUES, SAMPLES * VOXELS);
    if (!scratch) return closs_threshold_scratch_bytes(&spec);
    return closs_threshold_counts(&spec, &batch, result, SAMPLES * TOOL_CLASSES * THRESHOLDS, scratch, bytes, error);
}

static size_t call_surface(int threads, void *result, void *scratch, size_t bytes, closs_error *error) {
    closs_surface_spec spec = {.samples = SAMPLES,
                               .extents = {1, ROWS, COLUMNS},
                               .class_count = TOOL_CLASSES,
                               .percentile = 95,
                               .threads = threads};
    closs_metric_batch batch = tool_batch(predicted, SAMPLES * TOOL_VOXELS, SAMPLES * TOOL_VOXELS);
    if (!scratch) return closs_surface_scratch_bytes(&spec);
    return closs_surface(&spec, &batch, result, SAMPLES * TOOL_CLASSES, scratch, bytes, error);
}

static size_t call_distances(int threads, void *result, void *scratch, size_t bytes, closs_error *error) {
    closs_distance_spec spec = {
        .samples = SAMPLES, .extents = {1, ROWS, COLUMNS}, .class_count = TOOL_CLASSES, .threads = threads};
    if (!scratch) return closs_distance_scratch_bytes(&spec);
    return closs_distance_map(&spec, CLOSS_LABELS_U8, labels, SAMPLES * TOOL_VOXELS, result,
                              SAMPLES * TOOL_CLASSES * TOOL_VOXELS, scratch, bytes, error);
}

static size_t call_boxes(int threads, void *result, void *scratch, size_t bytes, closs_error *error) {
    const int64_t inside[1] = {1};
    closs_box_weights_spec spec = {.samples = SAMPLES,
                                   .extents = {1, ROWS, COLUMNS},
                                   .window = {1, 15, 15},
                                   .classes = inside,
                                   .class_count = 1,
                                   .amplitude = 5,
                                   .steepness = 5,
                                   .threads = threads};
    if (!scratch) return closs_box_weights_scratch_bytes(&spec);
    return closs_box_weights(&spec, CLOSS_LABELS_U8, labels, SAMPLES * TOOL_VOXELS, result, SAMPLES * TOOL_VOXELS,
                             scratch, bytes, error);
}

static size_t call_cells(int threads, void *result, void *scratch, size_t bytes, closs_error *error) {
    closs_cell_weights_spec spec = {.samples = SAMPLES,
                                    .extents = {1, ROWS, COLUMNS},
                                    .amplitude = 10,
                                    .sigma = 5,
                                    .background_weight = 1,
                                    .cell_weight = 1,
                                    .threads = threads};
    if (!scratch) return closs_cell_weights_scratch_bytes(&spec);
    return closs_cell_weights(&spec, CLOSS_LABELS_U8, labels, SAMPLES * TOOL_VOXELS, result, SAMPLES * TOOL_VOXELS,
                              scratch, bytes, error);
}

typedef struct tool {
    const char *name;
    tool_call *call;
    size_t result_bytes;
} tool;

static const tool TOOLS[] = {
    {"confusion counts", call_confusion, SAMPLES *TOOL_CLASSES *TOOL_CLASSES * sizeof(int64_t)},
    {"counts at thresholds", call_thresholds, SAMPLES *TOOL_CLASSES *THRESHOLDS * sizeof(closs_counts)},
    {"surface distances", call_surface, SAMPLES *TOOL_CLASSES * sizeof(closs_surface_distances)},
    {"distance maps", call_distances, SAMPLES *TOOL_CLASSES *TOOL_VOXELS * sizeof(float)},
    {"box weights", call_boxes, SAMPLES *TOOL_VOXELS * sizeof(float)},
    {"cell weights", call_cells, SAMPLES *TOOL_VOXELS * sizeof(float)},
};

static void use_tool(const tool *t, int threads, void *result) {
    closs_error error;
    size_t bytes = t->call(threads, 0, 0, 0, &error);
    void *scratch = allocate(bytes);
    memset(result, 0xff, t->result_bytes);
    if (t->call(threads, result, scratch, bytes, &error) != CLOSS_OK) {
        fprintf(stderr, "%s: %s\n", t->name, error.message);
        exit(2);
    }
    free(scratch);
}

typedef struct tool_caller {
    const tool *tool;
    int threads;
    const void *expected;
    int same;
} tool_caller;

static void *call_tool(void *context) {
    tool_caller *c = context;
    void *result = allocate(c->tool->result_bytes);
    c->same = 1;
    for (int round = 0; round < ROUNDS; round++) {
        use_tool(c->tool, c->threads, result);
        c->same &= memcmp(result, c->expected, c->tool->result_bytes) == 0;
    }
    free(result);
    return NULL;
}

static int run_tool(const tool *t, int callers, int threads, const void *expected) {
    pthread_t ids[CALLERS];
    tool_caller all[CALLERS];
    for (int i = 0; i < callers; i++) {
        all[i] = (tool_caller){t, threads, expected, 0};
        if (pthread_create(&ids[i], NULL, call_tool, &all[i])) abort();
    }
    int same = 1;
    for (int i = 0; i < callers; i++) {
        pthread_join(ids[i], NULL);
        same &= all[i].same;
    }
    printf("%s: %d callers, %d OpenMP threads each: %s\n", t->name, callers, threads,
           same ? "the same bits" : "OTHER BITS");
    return same;
}

static int run_tools(void) {
    int same = 1;
    draw_tools();
    for (size_t i = 0; i < sizeof TOOLS / sizeof *TOOLS; i++) {
        const tool *t = &TOOLS[i];
        void *expected = allocate(t->result_bytes);
        use_tool(t, 1, expected);
        same &= run_tool(t, CALLERS, 1, expected);
        same &= run_tool(t, CALLERS, 2, expected);
        same &= run_tool(t, 1, 4, expected);
        free(expected);
    }
    return same;
}

/* Threads that the sanitizer sees come and go as the kernels' do. */
static int planted_count(void) {
    int count = 0;
#if PLANT_RACE == 2
#pragma omp parallel num_threads(4)
    for (int i = 0; i < 1000; i++) count++;
#endif
    return count;
}

static int run_scenes(const scene *scenes, size_t count) {
    int same = 1;
    for (size_t i = 0; i < count; i++) {
        const scene *s = &scenes[i];
        draw(s);
        closs_plan *plan = make_plan(s, 1);
        void *scratch = allocate(closs_scratch_bytes(plan));
        float *gradient = allocate(MOST_VALUES * sizeof *gradient);
        double value = evaluate(s, plan, scratch, gradient);
        same &= run(s, CALLERS, 1, value, gradient);
        same &= run(s, CALLERS, 2, value, gradient);
        same &= run(s, 1, 4, value, gradient);
        free(gradient);
        free(scratch);
        closs_plan_destroy(plan);
    }
    return same;
}

int main(void) {
    int same = run_scenes(SCENES, sizeof SCENES / sizeof *SCENES);
    same &= run_scenes(PASSES, sizeof PASSES / sizeof *PASSES);
    same &= run_tools();
    if (planted_count()) printf("planted a race\n");
    return !same;
}
