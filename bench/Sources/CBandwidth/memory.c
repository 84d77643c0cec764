#include "bandwidth.h"

#include <stdlib.h>
#include <string.h>

void *bench_allocate(size_t bytes) {
    enum { page = 4096 };
    size_t rounded = (bytes + page) / page * page;
    void *memory = NULL;
    if (posix_memalign(&memory, page, rounded) != 0) return NULL;
    memset(memory, 0, rounded); /* a page that was never written is no memory yet */
    return memory;
}

void bench_free(void *memory) { free(memory); }
