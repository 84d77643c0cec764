#include "api/check_views.h"

static const int64_t LARGEST_SPAN = (int64_t)1 << 56; // beyond every memory; its bytes can be counted

static closs_status check_type(closs_float type, const char *name, closs_error *error) {
    if ((unsigned)type <= CLOSS_BFLOAT16) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_OPTION, -1, "%s is %d: expected a closs_float", name, (int)type);
}

// ---------------------------------------------------------------------------------------------------- extents ----

typedef struct sample_extents {
    int64_t planes, rows, columns;
} sample_extents;

static int64_t or_one(int64_t extent) { return extent ? extent : 1; }

static closs_status resolve_extents(const part *p, sample_extents *e, closs_error *error) {
    const closs_extents *given = &p->batch->extents;
    int64_t voxels = p->plan->shape.voxels, product;
    if (given->planes < 0 || given->rows < 0 || given->columns < 0)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "extents are %lld x %lld x %lld: expected none below 0",
                      (long long)given->planes, (long long)given->rows, (long long)given->columns);
    if (!given->planes && !given->rows && !given->columns) {
        *e = (sample_extents){1, 1, voxels};
        return CLOSS_OK;
    }
    *e = (sample_extents){or_one(given->planes), or_one(given->rows), or_one(given->columns)};
    if (__builtin_mul_overflow(e->planes, e->rows, &product) || __builtin_mul_overflow(product, e->columns, &product) ||
        product != voxels)
        return refuse(error, CLOSS_BAD_SHAPE, -1, "extents are %lld x %lld x %lld: expected the plan's %lld voxels",
                      (long long)e->planes, (long long)e->rows, (long long)e->columns, (long long)voxels);
    return CLOSS_OK;
}

// ------------------------------------------------------------------------------------------------------ views ----

// A direction in which a buffer is walked: so many steps, each so many elements long.
typedef struct direction {
    int64_t extent, stride;
} direction;

enum { DIRECTIONS = 5 };

static int has_view(const closs_view *v) { return v->sample || v->channel || v->plane || v->row || v->column; }

static int64_t contiguous_span(const part *p, int64_t classes) { return p->samples * classes * p->voxels; }

static void lay_out_contiguous(const part *p, int64_t classes, buffer_layout *b) {
    b->sample = classes * p->voxels;
    b->channel = p->voxels;
    b->column = 1;
    b->origin = p->batch->first_voxel;
    b->linear = 1;
    b->span = contiguous_span(p, classes);
}

// Elements from the first to the last that is reached; 0 where that is more than can be.
static int64_t span_of(const direction *directions) {
    int64_t span = 1, step;
    for (int i = 0; i < DIRECTIONS; i++) {
        if (__builtin_mul_overflow(directions[i].extent - 1, directions[i].stride, &step)) return 0;
        if (__builtin_add_overflow(span, step, &span) || span > LARGEST_SPAN) return 0;
    }
    return span;
}

// Whether no two steps lead to one element: each direction, from the shortest stride up, must step beyond all that the
// shorter ones reach. Views that mesh in another way are not known to be apart.
static int lie_apart(const direction *directions) {
    int done[DIRECTIONS] = {0};
    int64_t reached = 0;
    for (int count = 0; count < DIRECTIONS; count++) {
        int next = -1;
        for (int i = 0; i < DIRECTIONS; i++)
            if (!done[i] && (next < 0 || directions[i].stride < directions[next].stride)) next = i;
        done[next] = 1;
        if (directions[next].extent == 1) continue;
        if (directions[next].stride <= reached) return 0;
        reached += (directions[next].extent - 1) * directions[next].stride;
    }
    return 1;
}

static closs_status check_strides(const closs_view *v, const char *name, closs_error *error) {
    if (v->sample >= 0 && v->channel >= 0 && v->plane >= 0 && v->row >= 0 && v->column >= 0) return CLOSS_OK;
    return refuse(error, CLOSS_BAD_OPTION, -1,
                  "the view of %s has the strides %lld, %lld, %lld, %lld, %lld: expected none below 0", name,
                  (long long)v->sample, (long long)v->channel, (long long)v->plane, (long long)v->row,
                  (long long)v->column);
}

// Voxels whose rows, and planes, follow one another like their columns lie in one line.
static void find_line(const sample_extents *e, buffer_layout *b) {
    if (e->columns == 1) b->column = e->rows > 1 ? b->row : e->planes > 1 ? b->plane : 1;
    int64_t row = e->rows > 1 ? b->row : e->columns * b->column;
    int64_t plane = e->planes > 1 ? b->plane : e->rows * row;
    b->linear = row == e->columns * b->column && plane == e->rows * row;
}

static closs_status lay_out_view(const part *p, const closs_view *v, const sample_extents *e, int64_t classes,
                                 int written, const char *name, buffer_layout *b, closs_error *error) {
    closs_status status = check_strides(v, name, error);
    if (status != CLOSS_OK) return status;
    const direction directions[DIRECTIONS] = {{p->samples, v->sample},
                                              {classes, v->channel},
                                              {e->planes, v->plane},
                                              {e->rows, v->row},
                                              {e->columns, v->column}};
    b->span = span_of(directions);
    if (!b->span)
        return refuse(error, CLOSS_WRONG_SIZE, -1, "the view of %s reaches further than any memory does", name);
    if (written && !lie_apart(directions))
        return refuse(error, CLOSS_OVERLAP, -1,
                      "elements of %s overlap in its view: expected strides that each step over what the shorter ones "
                      "reach",
                      name);
    b->sample = p->samples > 1 ? v->sample : contiguous_span(p, classes);
    b->channel = classes > 1 ? v->channel : p->voxels;
    b->plane = v->plane;
    b->row = v->row;
    b->column = v->column;
    b->origin = 0;
    find_line(e, b);
    return CLOSS_OK;
}

static closs_status lay_out(const part *p, const closs_view *v, const sample_extents *e, int64_t classes, int written,
                            const char *name, buffer_layout *b, closs_error *error) {
    b->viewed = has_view(v);
    if (b->viewed) return lay_out_view(p, v, e, classes, written, name, b, error);
    lay_out_contiguous(p, classes, b);
    return CLOSS_OK;
}

// Whether a buffer lies as the kernels read it.
static int is_plain(const part *p, const buffer_layout *b, int64_t classes) {
    if (b->type != CLOSS_FLOAT32) return 0;
    if (!b->viewed) return 1;
    return b->linear && b->column == 1 && b->channel == p->voxels && b->sample == classes * p->voxels &&
           p->batch->first_voxel == 0;
}

// Whether the voxels of a row are elements one after another.
static int is_one_stretch(const buffer_layout *b) { return b->linear && b->column == 1; }

static int reads_rows_in_place(const part *p) {
    const run_layout *l = &p->layout;
    int by_row = p->plan->formula.activation != CLOSS_SOFTMAX && !p->together;
    return p->staged && by_row && l->logits.type == CLOSS_FLOAT32 && is_one_stretch(&l->logits) &&
           is_one_stretch(&l->targets) && is_one_stretch(&l->mask) && is_one_stretch(&l->weights) &&
           is_one_stretch(&l->maps);
}

closs_status check_views(part *p, const closs_gradient_buffer *gradient, closs_error *error) {
    const closs_batch *batch = p->batch;
    const closs_view contiguous = {0};
    run_layout *l = &p->layout;
    sample_extents e;
    int64_t classes = p->plan->shape.classes, target_classes = target_is_dense(batch->target) ? classes : 1;
    closs_status status = check_type(batch->logits_type, "logits_type", error);
    if (status == CLOSS_OK && gradient) status = check_type(gradient->type, "gradient.type", error);
    if (status == CLOSS_OK) status = resolve_extents(p, &e, error);
    if (status != CLOSS_OK) return status;
    *l = (run_layout){.rows = e.rows, .columns = e.columns};
    l->logits.type = batch->logits_type;
    l->logits.bytes = float_bytes(batch->logits_type);
    l->targets.bytes = target_bytes(batch->target);
    l->mask.bytes = 1;
    l->weights.bytes = l->maps.bytes = sizeof(float);
    l->gradient.type = gradient ? gradient->type : CLOSS_FLOAT32;
    l->gradient.bytes = float_bytes(l->gradient.type);
    const closs_view *written = gradient ? &gradient->view : &contiguous;
    status = lay_out(p, &batch->logits_view, &e, classes, 0, "logits", &l->logits, error);
    if (status == CLOSS_OK)
        status = lay_out(p, &batch->targets_view, &e, target_classes, 0, "targets", &l->targets, error);
    if (status == CLOSS_OK) status = lay_out(p, &batch->mask_view, &e, 1, 0, "mask", &l->mask, error);
    if (status == CLOSS_OK) status = lay_out(p, &batch->weights_view, &e, 1, 0, "weights", &l->weights, error);
    if (status == CLOSS_OK) status = lay_out(p, &batch->maps_view, &e, classes, 0, "maps", &l->maps, error);
    if (status == CLOSS_OK) status = lay_out(p, written, &e, classes, 1, "gradient", &l->gradient, error);
    p->staged = !is_plain(p, &l->logits, classes) || !is_plain(p, &l->targets, target_classes) ||
                !is_plain(p, &l->mask, 1) || !is_plain(p, &l->weights, 1) || !is_plain(p, &l->maps, classes) ||
                !is_plain(p, &l->gradient, classes);
    int side_by_side = l->logits.channel == 1 || (gradient && l->gradient.channel == 1);
    p->together = p->staged && side_by_side && plan_rows_per_sample(p->plan) > 1;
    p->rows_in_place = reads_rows_in_place(p);
    return status;
}
