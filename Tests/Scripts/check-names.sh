#!/bin/sh
# Usage: check-names.sh FOLDER, where FOLDER holds a built C library.
# The libraries must define the functions that closs.h declares, and no other name that a program could see; and no
# inner name may be one of the C library's, since SwiftPM links the objects themselves into its users' programs.
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
for library in c m pthread; do
    path=$("${CC:-clang}" -print-file-name="lib$library.so.6")
    if [ -f "$path" ]; then nm -D --defined-only "$path"; fi
done | awk '{ sub(/@.*/, "", $3); print $3 }' | sort -u > "$work/system"
grep -qx malloc "$work/system" || { echo "cannot read the names of the C library" >&2; exit 1; }
taken=$(comm -12 "$work/inner" "$work/system")
if [ -n "$taken" ]; then
    echo "inner functions have names of the C library's; a program that links the objects would call them instead:" >&2
    echo "$taken" >&2
    exit 1
fi
echo "no inner name is one of the C library's"
