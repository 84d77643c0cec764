#!/bin/sh
# The public header must be a complete C99 and C++17 header, without a warning, with gcc and with clang.
set -eu
cd "$(dirname "$0")/../.."
include=Sources/CLossKernels/include
for compiler in gcc "${CC:-clang}"; do
    for language in c:c99 c++:c++17; do
        echo "$compiler -x ${language%:*} -std=${language#*:}"
        printf '#include <closs.h>\n#include <closs.h>\nint main(void) { return closs_status_text(CLOSS_OK) == 0; }\n' |
            "$compiler" -x "${language%:*}" "-std=${language#*:}" -Wall -Wextra -pedantic -Werror -fsyntax-only \
                -I "$include" -
    done
done
