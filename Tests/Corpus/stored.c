#include "stored.h"

#include <stdint.h>
#include <string.h>

#include "memory.h"

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A half's exponent is 112 less than a float's; below 2^-14 halves are multiples of 2^-24. */
static uint16_t half_of(float value) {
    uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x47800000) return (uint16_t)(sign | 0x7bff);
    if (magnitude >= 0x38800000) return (uint16_t)(sign | (magnitude - 0x38000000) >> 13);
    return (uint16_t)(sign | (uint32_t)(float_of(magnitude) * 0x1p24f));
}

static float value_of_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7fff;
    if (magnitude >= 0x400) return float_of(sign | ((magnitude << 13) + 0x38000000));
    return float_of(sign | bits_of((float)magnitude * 0x1p-24f));
}

static uint16_t bfloat_of(float value) { return (uint16_t)(bits_of(value) >> 16); }

static float value_of_bfloat(uint16_t upper) { return float_of((uint32_t)upper << 16); }

size_t stored_bytes(closs_float type) { return type == CLOSS_FLOAT32 ? sizeof(float) : sizeof(uint16_t); }

void cut_to_type(closs_float type, float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (type == CLOSS_FLOAT16) values[i] = value_of_half(half_of(values[i]));
        if (type == CLOSS_BFLOAT16) values[i] = value_of_bfloat(bfloat_of(values[i]));
    }
}

void *store(closs_float type, const float *values, size_t count) {
    void *memory = allocate(count, stored_bytes(type));
    if (type == CLOSS_FLOAT32) return memcpy(memory, values, count * sizeof *values);
    uint16_t *words = memory;
    for (size_t i = 0; i < count; i++) words[i] = type == CLOSS_FLOAT16 ? half_of(values[i]) : bfloat_of(values[i]);
    return memory;
}
