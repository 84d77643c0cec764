// Watches the heap by standing in front of it: the process's malloc, calloc and so on are these, and call glibc's own.
// What the Swift runtime, libomp and the C library itself ask for is counted too.
#include "CKernelProbe.h"

#include <limits.h> // says whether this is glibc

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(SANITIZED)

#include <errno.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *memory);

static uint64_t allocations;
static __thread int failing;

static void count(void) { __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED); }

void *malloc(size_t bytes) {
    count();
    return __libc_malloc(bytes);
}

void *calloc(size_t elements, size_t bytes) {
    count();
    if (failing) {
        errno = ENOMEM;
        return 0;
    }
    return __libc_calloc(elements, bytes);
}

void *realloc(void *memory, size_t bytes) {
    count();
    return __libc_realloc(memory, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
    count();
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    count();
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    count();
    *memory = __libc_memalign(alignment, bytes);
    return *memory ? 0 : ENOMEM;
}

void free(void *memory) { __libc_free(memory); }

int probe_heap_is_watched(void) { return 1; }
uint64_t probe_allocations(void) { return __atomic_load_n(&allocations, __ATOMIC_RELAXED); }
void probe_fail_calloc(int fail) { failing = fail; }

#else

int probe_heap_is_watched(void) { return 0; }
uint64_t probe_allocations(void) { return 0; }
void probe_fail_calloc(int fail) { (void)fail; }

#endif
