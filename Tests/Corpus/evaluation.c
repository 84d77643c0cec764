#include "evaluation.h"

#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "memory.h"
#include "report.h"

uint64_t hash_result(const run_memory *m) {
    uint64_t hash = hash_bytes(HASH_START, &m->result.value, sizeof m->result.value);
    hash = hash_bytes(hash, m->result.terms, m->result.terms_count * sizeof(double));
    hash = hash_bytes(hash, m->result.per_class, m->result.per_class_count * sizeof(double));
    return hash_bytes(hash, m->per_sample, m->result.per_sample_count * sizeof(double));
}

outcome outcome_of(const problem *p, const run_memory *m, const float *gradient, const float *map) {
    return (outcome){.value_hash = hash_result(m),
                     .gradient_hash = hash_bytes(HASH_START, gradient, p->values * sizeof *gradient),
                     .map_hash = hash_bytes(HASH_START, map, loss_map_count(p) * sizeof *map)};
}

int begin_run(const problem *p, run_memory *m) {
    memset(m, 0, sizeof *m);
    if (!good(p->name, closs_plan_create(&p->spec, &m->plan, &last_error))) return 0;
    if (isa != CLOSS_ISA_BEST && closs_plan_isa(m->plan) != isa)
        contradicted(p->name, "RUNS ON ANOTHER INSTRUCTION SET");
    m->scratch_bytes = closs_scratch_bytes(m->plan);
    m->scratch = allocate(m->scratch_bytes, 1);
    m->result.terms = m->terms;
    m->result.terms_count = p->spec.term_count;
    m->result.per_class_count = p->spec.term_count * (size_t)p->spec.shape.classes;
    m->result.per_class = m->per_class = allocate(m->result.per_class_count, sizeof(double));
    m->result.per_sample_count = p->spec.per_sample ? p->spec.term_count * (size_t)p->spec.shape.samples : 0;
    m->per_sample = allocate(m->result.per_sample_count, sizeof(double));
    if (p->spec.per_sample) m->result.per_sample = m->per_sample;
    return 1;
}

void end_run(run_memory *m) {
    closs_plan_destroy(m->plan);
    free(m->scratch);
    free(m->per_class);
    free(m->per_sample);
}

int run_whole(const problem *p, outcome *out) {
    run_memory m;
    if (!begin_run(p, &m)) return 0;
    float *gradient = allocate(p->values, sizeof *gradient);
    memcpy(gradient, p->in_place ? p->logits : p->start, p->values * sizeof *gradient);
    closs_batch batch = p->batch;
    if (p->in_place) batch.logits = gradient;
    closs_gradient_buffer buffer = {.values = gradient, .count = p->values, .write = p->write, .scale = p->scale};
    int ok = good(p->name, closs_evaluate(m.plan, &batch, &buffer, &m.result, m.scratch, m.scratch_bytes, &last_error));
    size_t count = loss_map_count(p);
    float *map = allocate(count, sizeof *map);
    if (ok && count)
        ok = good(p->name, closs_loss_map(m.plan, &p->batch, CLOSS_ALL_TERMS, map, count, m.scratch, m.scratch_bytes,
                                          &last_error));
    if (ok) *out = outcome_of(p, &m, gradient, map);
    free(map);
    free(gradient);
    end_run(&m);
    return ok;
}
