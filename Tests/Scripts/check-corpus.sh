#!/bin/sh
# Usage: check-corpus.sh FOLDER, where FOLDER holds a built C library.
# The corpus must come out the same on every instruction set of this machine, on one thread and on several.
set -eu
cd "$(dirname "$0")/../.."
folder=$1
out=$BUILD/corpus
mkdir -p "$out"
gcc -std=c99 -Wall -Wextra -pedantic -Werror -O2 -ffp-contract=off -I Sources/CLossKernels/include \
    Tests/Corpus/*.c -L "$folder" -lsegloss -Wl,-rpath,"$(realpath "$folder")" -o "$out/corpus"

"$out/corpus" --isa generic > "$out/generic.txt"
for run in "avx2 1" "avx512 1" "best 2" "best 3"; do
    isa=${run% *}
    threads=${run#* }
    status=0
    "$out/corpus" --isa "$isa" --threads "$threads" > "$out/$isa-$threads.txt" || status=$?
    if [ $status = 77 ]; then
        echo "$isa: not on this machine, not tested"
        continue
    fi
    [ $status = 0 ] || exit 1
    # The first lines that differ name the problems.
    diff "$out/generic.txt" "$out/$isa-$threads.txt" | head -n 20 > "$out/difference.txt"
    if [ -s "$out/difference.txt" ]; then
        cat "$out/difference.txt"
        echo "$isa on $threads threads differs from generic" >&2
        exit 1
    fi
    echo "$isa, threads $threads: $(wc -l < "$out/generic.txt") problems, the same bits as generic"
done
