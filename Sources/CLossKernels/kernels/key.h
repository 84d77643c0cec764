// Floats as unsigned integers in the same order (arithmetic 8.1), one at a time.
#ifndef CLOSS_KERNELS_KEY_H
#define CLOSS_KERNELS_KEY_H

#include <stdint.h>

// The first key above those of all finite floats.
static const uint32_t KEY_OF_INFINITY = 0xff800000u;

static inline uint32_t key_of_float(float value) {
    int32_t bits;
    value = value == 0 ? 0 : value; // -0 counts as +0
    __builtin_memcpy(&bits, &value, sizeof bits);
    return (uint32_t)(bits ^ ((bits >> 31) | INT32_MIN));
}

static inline float float_of_key(uint32_t key) {
    uint32_t bits = key ^ (key >> 31 ? 0x80000000u : 0xffffffffu);
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

// The float from which on keys are at least `key`: an infinity where that is beyond all finite floats.
static inline float float_from_key(uint64_t key) {
    if (key >= KEY_OF_INFINITY) return __builtin_inff();
    return key <= ~KEY_OF_INFINITY ? -__builtin_inff() : float_of_key((uint32_t)key);
}

#endif
