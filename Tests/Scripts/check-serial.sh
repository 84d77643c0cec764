#!/bin/sh
# Usage: check-serial.sh FOLDER, where FOLDER holds Swift products that were built without OpenMP.
# Neither they nor the C library built with OPENMP=0 may link or call an OpenMP runtime.
set -eu
cd "$(dirname "$0")/../.."

# Prints what a file needs of an OpenMP runtime.
openmp_in() {
    readelf -d "$1" | grep NEEDED | grep -E 'lib(i?omp|gomp)' || true
    nm "$1" | grep -E ' U (__kmpc_|omp_|GOMP_)' || true
}

make lib OPENMP=0
checked=0
for file in "$1"/*.xctest "$BUILD/serial/libsegloss.so"; do
    [ -f "$file" ] || continue
    found=$(openmp_in "$file")
    [ -z "$found" ] || { echo "$file uses OpenMP: $found" >&2; exit 1; }
    echo "$file: no OpenMP"
    checked=$((checked + 1))
done
[ $checked = 2 ] || { echo "expected a Swift test bundle and a C library, found $checked of them" >&2; exit 1; }

# The check must be able to fail: the library with OpenMP does not pass it.
make lib OPENMP=1
[ -n "$(openmp_in "$BUILD/openmp/libsegloss.so")" ] || { echo "the check finds no OpenMP where there is some" >&2; exit 1; }
