#!/bin/sh
# Usage: check-names.sh FOLDER, where FOLDER holds a built C library.
# The libraries must define the functions that closs.h declares, and no other name that a program could see; and every
# inner name must have the library's prefix, since SwiftPM links the objects themselves into its users' programs.
set -eu
cd "$(dirname "$0")/../.."
folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed -n 's/^CLOSS_API .*[ *]\(closs_[a-z0-9_]*\)(.*/\1/p' Sources/CLossKernels/include/closs.h | sort > "$work/declared"
nm -D --defined-only "$folder/libsegloss.so" | awk '{ print $3 }' | sort > "$work/shared"
nm -g --defined-only "$folder/libsegloss.a" | awk 'NF == 3 { print $3 }' | sort > "$work/static"
[ -s "$work/declared" ] || { echo "found no declaration in closs.h" >&2; exit 1; }
diff "$work/declared" "$work/shared" || { echo "libsegloss.so: < declared, > exported" >&2; exit 1; }
diff "$work/declared" "$work/static" || { echo "libsegloss.a: < declared, > exported" >&2; exit 1; }
echo "both libraries export the $(wc -l < "$work/declared") functions of closs.h and nothing else"

find "$folder/objects" -name '*.o' -exec nm -g --defined-only {} + | awk 'NF == 3 { print $3 }' | sort -u > "$work/inner"
[ -s "$work/inner" ] || { echo "found no objects" >&2; exit 1; }
if grep -v '^closs_' "$work/inner" > "$work/taken"; then
    echo "names that could meet a program's own (add them to Sources/CLossKernels/names.h):" >&2
    cat "$work/taken" >&2
    exit 1
fi
echo "all $(wc -l < "$work/inner") names of the objects begin with closs_"
