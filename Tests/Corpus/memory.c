#include "memory.h"

#include <stdio.h>
#include <stdlib.h>

void *allocate(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory) {
        fprintf(stderr, "corpus: out of memory\n");
        exit(1);
    }
    return memory;
}
