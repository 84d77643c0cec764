// The unreduced losses, voxel by voxel. Everything is looked at first: a refused call leaves the map as it was.
#include <float.h>
#include <string.h>

#include "api/check_batch.h"
#include "api/diagnose.h"
#include "api/scratch.h"
#include "driver/distance_terms.h"
#include "driver/environment.h"
#include "driver/passes.h"
#include "terms/pointwise.h"

static closs_status check_term(const closs_plan *plan, int term, const float *map, closs_error *error) {
    if (!plan) return refuse(error, CLOSS_NULL_POINTER, -1, "plan is NULL");
    if (term != CLOSS_ALL_TERMS && (term < 0 || (size_t)term >= plan->term_count))
        return refuse(error, CLOSS_BAD_OPTION, -1, "term is %d: expected 0 to %zu, or all terms", term,
                      plan->term_count - 1);
    if (term != CLOSS_ALL_TERMS && plan->pointwise_index[term] < 0)
        return refuse(
            error, CLOSS_BAD_TERM, term,
            "terms[%d] has no loss of a single voxel: expected a pointwise term, no region, none that selects", term);
    if (!plan->formula.pointwise_count)
        return refuse(error, CLOSS_BAD_TERM, -1,
                      "no term of the loss is a pointwise one: the others have no loss of a single voxel");
    if (!map) return refuse(error, CLOSS_NULL_POINTER, -1, "map is NULL");
    return CLOSS_OK;
}

// What closs_accumulate would refuse, and what would not fit the map.
static closs_status look_through(const part *p, int term, void *memory, closs_error *error) {
    const closs_plan *plan = p->plan;
    survey_found found;
    sweep_fault fault = survey_pass(p, 1, 0, &found);
    if (fault.found) return diagnose(p, &fault, error);
    double bound = pointwise_loss_bound(plan, found.largest_logit, found.largest_weight, found.largest_map);
    if (4.5 * bound >= 0x1p19) {
        int64_t *totals = scratch_in(plan, memory).totals;
        memset(totals, 0, plan->totals.count * sizeof *totals);
        fault = totals_pass(p, totals);
        if (fault.found) return diagnose(p, &fault, error);
    }
    if (pointwise_map_bound(plan, term, found.largest_weight, found.largest_map) <= FLT_MAX) return CLOSS_OK;
    return refuse(error, CLOSS_OUT_OF_RANGE, -1,
                  "losses times the terms' weights may be beyond the range of float: expected smaller weights or maps");
}

NOT_INLINED static closs_status write_map(const closs_plan *plan, const closs_batch *batch, int term, float *map,
                                          size_t map_count, void *memory, size_t memory_bytes, closs_error *error) {
    closs_status status = check_term(plan, term, map, error);
    call_memory call = {.loss_map = map, .loss_map_count = map_count, .scratch = memory, .scratch_bytes = memory_bytes};
    part p;
    if (status == CLOSS_OK) status = check_batch(plan, batch, 0, &call, &p, error);
    if (status == CLOSS_OK) distance_terms_pass(&p, scratch_in(plan, memory).distances);
    if (status == CLOSS_OK) status = look_through(&p, term, memory, error);
    if (status != CLOSS_OK) return status;
    loss_map_pass(&p, term, map);
    return accepted(error);
}

closs_status closs_loss_map(const closs_plan *plan, const closs_batch *part, int term, float *map, size_t map_count,
                            void *scratch, size_t scratch_bytes, closs_error *error) {
    float_environment callers = environment_enter();
    closs_status status = write_map(plan, part, term, map, map_count, scratch, scratch_bytes, error);
    environment_leave(callers);
    return status;
}
