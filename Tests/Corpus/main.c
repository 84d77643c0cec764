/* Prints a line for each of a fixed set of problems: its name and a hash of every bit that the library computed for it.
 * Two machines, instruction sets or builds agree where their output is the same text.
 *
 * The problems come from integer random numbers alone, turned into floats by exact operations, so that they are the
 * same everywhere. What can be computed in two ways, a loss as a whole and in parts, is; where the two differ the
 * program fails by itself.
 *
 *     corpus [--isa best|generic|avx2|avx512] [--threads n]
 *
 * Ends with 0; with 1 where the library refused or contradicted itself; with 77 where the instruction set is missing.
 */
#include "corpus.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_AVAILABLE = 77 };

closs_isa isa = CLOSS_ISA_BEST;
int threads = 1;

static int usage(void) {
    fprintf(stderr, "usage: corpus [--isa best|generic|avx2|avx512] [--threads n]\n");
    return 2;
}

int main(int count, char **arguments) {
    static const char *NAMES[] = {"best", "generic", "avx2", "avx512"};
    for (int i = 1; i < count; i += 2) {
        if (i + 1 == count) return usage();
        if (strcmp(arguments[i], "--threads") == 0) {
            threads = atoi(arguments[i + 1]);
        } else if (strcmp(arguments[i], "--isa") == 0) {
            size_t found = 0;
            while (found < COUNT(NAMES) && strcmp(NAMES[found], arguments[i + 1])) found++;
            if (found == COUNT(NAMES)) return usage();
            isa = (closs_isa)found;
        } else {
            return usage();
        }
    }
    if (!closs_isa_available(isa)) return NOT_AVAILABLE;
    run_losses();
    run_weight_maps();
    run_metrics();
    run_distance_maps();
    run_layouts();
    run_scales();
    run_binarization();
    fprintf(stderr, "corpus: %d failures\n", failures);
    return failures > 0;
}
