#!/bin/sh
# The corpus of problems on every instruction set of this machine, under the sanitizers for undefined behaviour and for
# memory, leaks included. Its buffers have the very size that the library is told.
set -eu
cd "$(dirname "$0")/../.."
out=$BUILD/undefined
mkdir -p "$out"
sanitizers=address,undefined,float-cast-overflow
echo "building the kernels with -fsanitize=$sanitizers"
"$CC" -std=c11 -O1 -g -ffp-contract=off -fsanitize=$sanitizers -fno-sanitize-recover=all \
    -I Sources/CLossKernels -I Sources/CLossKernels/include \
    Sources/CLossKernels/*/*.c Tests/Corpus/*.c -lm -o "$out/corpus"
for isa in generic avx2 avx512; do
    status=0
    "$out/corpus" --isa "$isa" > "$out/$isa.txt" || status=$?
    case $status in
    0) echo "$isa: no undefined behaviour, no stray access and no leak in $(wc -l < "$out/$isa.txt") problems" ;;
    77) echo "$isa: not on this machine, not tested" ;;
    *) exit 1 ;;
    esac
done
