#include "api/refuse.h"

#include <stdarg.h>
#include <stdio.h>

closs_status refuse(closs_error *error, closs_status status, int64_t index, const char *format, ...) {
    if (!error) return status;
    error->status = status;
    error->index = index;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

closs_status refuse_isa(closs_isa isa, closs_error *error) {
    if (isa != CLOSS_ISA_AVX2 && isa != CLOSS_ISA_AVX512)
        return refuse(error, CLOSS_UNSUPPORTED_ISA, -1, "isa is %d: expected a closs_isa", (int)isa);
    return refuse(error, CLOSS_UNSUPPORTED_ISA, -1,
                  "isa is %s, which this machine or build does not have: expected generic, or the best one",
                  isa == CLOSS_ISA_AVX512 ? "AVX-512" : "AVX2");
}

closs_status refuse_activation(closs_activation activation, closs_error *error) {
    if (activation != CLOSS_SOFTMAX)
        return refuse(error, CLOSS_BAD_OPTION, -1, "activation is %d: expected a closs_activation", (int)activation);
    return refuse(error, CLOSS_BAD_OPTION, -1, "activation is softmax: expected sigmoid or probabilities");
}

closs_status accepted(closs_error *error) {
    if (error) {
        error->status = CLOSS_OK;
        error->index = -1;
        error->message[0] = '\0';
    }
    return CLOSS_OK;
}

const char *closs_status_text(closs_status status) {
    switch (status) {
    case CLOSS_OK: return "no error";
    case CLOSS_NULL_POINTER: return "a needed buffer is NULL";
    case CLOSS_WRONG_SIZE: return "a buffer's count does not match the shape";
    case CLOSS_TOO_SMALL: return "totals, coefficients, results or scratch are too small";
    case CLOSS_BAD_SHAPE: return "the shape is not possible";
    case CLOSS_BAD_OPTION: return "an option is outside its range";
    case CLOSS_BAD_TERM: return "a term does not fit the plan or the batch";
    case CLOSS_BAD_PART: return "the part does not fit the batch";
    case CLOSS_BAD_LABEL: return "a label is no class";
    case CLOSS_BAD_TARGET: return "a dense target is outside its range";
    case CLOSS_BAD_WEIGHT: return "a voxel weight is negative or not finite";
    case CLOSS_NOT_FINITE: return "a logit is not finite";
    case CLOSS_BAD_PROBABILITY: return "a probability is outside [0, 1]";
    case CLOSS_OUT_OF_RANGE: return "a sum leaves the exact range";
    case CLOSS_OVERLAP: return "buffers overlap";
    case CLOSS_UNSUPPORTED_ISA: return "the instruction set is not available";
    case CLOSS_BAD_THREADS: return "the thread count is negative";
    case CLOSS_OUT_OF_MEMORY: return "out of memory";
    }
    return "unknown status";
}
