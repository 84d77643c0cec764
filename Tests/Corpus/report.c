#include "report.h"

#include <stdio.h>

int failures;
closs_error last_error;

/* FNV-1a */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

int good(const char *name, closs_status status) {
    if (status == CLOSS_OK) return 1;
    printf("%s REFUSED: %s\n", name, last_error.message);
    failures++;
    return 0;
}

void contradicted(const char *name, const char *what) {
    printf("%s %s\n", name, what);
    failures++;
}
