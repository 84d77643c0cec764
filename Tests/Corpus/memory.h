/* Memory that a problem owns. */
#ifndef CORPUS_MEMORY_H
#define CORPUS_MEMORY_H

#include <stddef.h>

/* Zeros, never NULL: without memory the program ends. */
void *allocate(size_t count, size_t size);

#endif
