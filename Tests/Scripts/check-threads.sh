#!/bin/sh
# Callers on many threads and OpenMP regions under the thread sanitizer; then the same with planted races, which it
# must find.
set -eu
cd "$(dirname "$0")/../.."
out=$BUILD/threads
mkdir -p "$out/objects"

# libomp tells the sanitizer through its tool Archer where threads meet; without it every region would look like a race.
runtime=$(realpath "$("$CC" -print-file-name="lib$SEGLOSS_OPENMP_LIBRARY.so")")
archer=$(dirname "$runtime")/libarcher.so
[ -f "$archer" ] || { echo "no libarcher.so beside $runtime" >&2; exit 1; }

# Swift's clang wants these two for its sanitizer runtimes; another clang does not have them.
toolchain=$(dirname "$(dirname "$("$CC" -print-prog-name=clang)")")/lib/swift/linux
extra=
if [ -f "$toolchain/libdispatch.so" ]; then
    extra="-L$toolchain -ldispatch -lBlocksRuntime -Wl,-rpath,$toolchain"
fi

flags="-std=c11 -O2 -g -fsanitize=thread -fopenmp -ffp-contract=off -fno-math-errno
    -I Sources/CLossKernels -I Sources/CLossKernels/include"
echo "building the kernels with -fsanitize=thread"
# shellcheck disable=SC2044,SC2086 # no file of ours has a blank in its name; lists of words
for source in $(find Sources/CLossKernels -name '*.c'); do
    "$CC" $flags -c "$source" -o "$out/objects/$(echo "${source%.c}" | tr / -).o"
done

# run RACE: builds and runs the program with the planted race of that number. Linked without -fopenmp, which would name
# a runtime of its own.
# shellcheck disable=SC2086 # lists of words
run() {
    "$CC" $flags -DPLANT_RACE="$1" -c Tests/ThreadSafety/threads.c -o "$out/threads-$1.o"
    "$CC" -fsanitize=thread "$out/threads-$1.o" "$out"/objects/*.o "-l$SEGLOSS_OPENMP_LIBRARY" $extra -lm -lpthread \
        -o "$out/threads-$1"
    OMP_TOOL_LIBRARIES=$archer TSAN_OPTIONS="ignore_noninstrumented_modules=1 report_thread_leaks=0 exitcode=66 halt_on_error=1" \
        "$out/threads-$1"
}

run 0 || { echo "the thread sanitizer found a race, or the bits differ" >&2; exit 1; }
echo "no race, and the same bits"

for race in 1 2; do
    status=0
    run $race > "$out/planted-$race.txt" 2>&1 || status=$?
    if [ $status != 66 ] || ! grep -q 'WARNING: ThreadSanitizer: data race' "$out/planted-$race.txt"; then
        tail -n 20 "$out/planted-$race.txt"
        echo "planted race $race was not found (status $status)" >&2
        exit 1
    fi
    echo "planted race $race was found, as it must be"
done
