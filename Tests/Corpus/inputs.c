#include "inputs.h"

#include <string.h>

const char *input_kind_name(int kind) {
    static const char *NAMES[INPUT_KINDS] = {"plain", "ties", "saturated", "magnitudes"};
    return NAMES[kind];
}

static float draw_logit(random_numbers *r, int kind) {
    switch (kind) {
    case 0: return (float)(below(r, 1 << 20) - (1 << 19)) * 0x1p-16f;
    case 1: return (float)(below(r, 9) - 4) * 0.5f;
    case 2: return (float)(below(r, 1 << 20) - (1 << 19)) * 0x1p-10f;
    default: {
        uint32_t exponent = (uint32_t)below(r, 134), bits = (uint32_t)next(r) & 0x807fffff;
        float value;
        bits |= exponent << 23;
        if (one_in(r, 16)) bits &= 0x80000000;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    }
}

float draw_probability(random_numbers *r, int kind) {
    if (one_in(r, 16)) return (float)below(r, 2);
    if (kind == 1) return (float)below(r, 9) * 0.125f;
    float value = (float)below(r, 1 << 24) * 0x1p-24f;
    return kind == 3 ? value * 0x1p-110f * 0x1p-20f : value;
}

float draw_input(random_numbers *r, closs_activation activation, int kind) {
    return activation == CLOSS_PROBABILITIES ? draw_probability(r, kind) : draw_logit(r, kind);
}

int is_dense(closs_target target) { return target == CLOSS_DENSE_U8 || target == CLOSS_DENSE_F32; }

size_t target_bytes(closs_target target) {
    static const size_t BYTES[] = {1, 2, 4, 8, 1, 4};
    return BYTES[target - CLOSS_LABELS_U8];
}

void set_label(void *targets, closs_target target, size_t i, int64_t label) {
    switch (target) {
    case CLOSS_LABELS_U16: ((uint16_t *)targets)[i] = (uint16_t)label; break;
    case CLOSS_LABELS_I32: ((int32_t *)targets)[i] = (int32_t)label; break;
    case CLOSS_LABELS_I64: ((int64_t *)targets)[i] = label; break;
    default: ((uint8_t *)targets)[i] = (uint8_t)label; break;
    }
}
