// A table's entries lane by lane, where the instruction set can shuffle floats by a vector of indices.
#ifndef CLOSS_KERNELS_LOOKUP_H
#define CLOSS_KERNELS_LOOKUP_H

#include "kernels/lanes.h"

// The entries from the table's start on, at most CLOSS_TABLE_LANES of them, that the lowest bits of each index name;
// +0 where these name none.
#if CLOSS_TABLE_LANES == 16

typedef VECTOR(float, 16) table_floats;
typedef VECTOR(int32_t, 16) table_indices;

LANES_INLINE table_floats load_table(const float *table, int entries) {
    unsigned some = (1u << (entries & 15)) - 1;
    return __builtin_ia32_loadups512_mask(table, (table_floats){0}, (uint16_t)(entries < 16 ? some : 0xffff));
}

LANES_INLINE table_floats shuffle_table(table_floats table, table_indices each) {
    return __builtin_ia32_permvarsf512(table, each);
}

#elif CLOSS_TABLE_LANES == 8

typedef VECTOR(float, 8) table_floats;
typedef VECTOR(int32_t, 8) table_indices;

LANES_INLINE table_floats load_table(const float *table, int entries) {
    table_indices numbers = {0, 1, 2, 3, 4, 5, 6, 7};
    return __builtin_ia32_maskloadps256((const table_floats *)table, numbers < entries);
}

LANES_INLINE table_floats shuffle_table(table_floats table, table_indices each) {
    return __builtin_ia32_permvarsf256(table, each);
}

#endif

#if CLOSS_TABLE_LANES > 1

LANES_INLINE vf32 lookup_some(const float *table, int entries, vi32 each) {
    enum { PARTS = LANES / CLOSS_TABLE_LANES };
    table_floats all = load_table(table, entries), parts[PARTS];
    table_indices indices[PARTS];
    vf32 picked;
    __builtin_memcpy(indices, &each, sizeof indices);
    for (int i = 0; i < PARTS; i++) parts[i] = shuffle_table(all, indices[i]);
    __builtin_memcpy(&picked, parts, sizeof picked);
    return picked;
}

#else

LANES_INLINE vf32 lookup_some(const float *table, int entries, vi32 each) {
    (void)entries, (void)each;
    return f32_splat(table[0]);
}

#endif

// table[each], +0 where the index is none of the table's.
LANES_INLINE vf32 f32_lookup(const float *table, int entries, vi32 each) {
    vf32 picked = {0};
    for (int first = 0; first < entries; first += CLOSS_TABLE_LANES) {
        vi32 here = (each & -CLOSS_TABLE_LANES) == first;
        picked = f32_select(here, lookup_some(table + first, entries - first, each), picked);
    }
    return picked;
}

#endif
