#!/bin/sh
# The corpus of problems on every instruction set of this machine, every operation checked for undefined behaviour.
set -eu
cd "$(dirname "$0")/../.."
out=$BUILD/undefined
mkdir -p "$out"
echo "building the kernels with -fsanitize=undefined,float-cast-overflow"
# Alignment is checked too: callers' pointers need none.
"$CC" -std=c11 -O1 -g -ffp-contract=off -fsanitize=undefined,float-cast-overflow -fno-sanitize-recover=all \
    -I Sources/CLossKernels -I Sources/CLossKernels/include \
    Sources/CLossKernels/*/*.c Tests/Corpus/corpus.c -lm -o "$out/corpus"
for isa in generic avx2 avx512; do
    status=0
    "$out/corpus" --isa "$isa" > "$out/$isa.txt" || status=$?
    case $status in
    0) echo "$isa: no undefined behaviour in $(wc -l < "$out/$isa.txt") problems" ;;
    77) echo "$isa: not on this machine, not tested" ;;
    *) exit 1 ;;
    esac
done
