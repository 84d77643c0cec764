/* What is told of a problem: hashes of its results, and what went wrong. */
#ifndef CORPUS_REPORT_H
#define CORPUS_REPORT_H

#include <closs.h>

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>

/* Where a hash begins. */
#define HASH_START UINT64_C(0xcbf29ce484222325)

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count);

/* How often the library refused or contradicted itself. */
extern int failures;

/* For every call to say what was wrong. */
extern closs_error last_error;

/* Whether a call went well; where not, its message is printed. A problem of the corpus is never refused. */
int good(const char *name, closs_status status);

/* The library computed one thing in two ways, and `what` differs. */
void contradicted(const char *name, const char *what);

#endif
