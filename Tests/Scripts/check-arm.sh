#!/bin/sh
# The corpus of problems on AArch64, under qemu, must come out with the very bits of this machine.
set -eu
cd "$(dirname "$0")/../.."
out=$BUILD/arm
mkdir -p "$out"
echo "building the kernels for AArch64"
# shellcheck disable=SC2044 # no file of ours has a blank in its name
for source in $(find Sources/CLossKernels -name '*.c'); do
    object=$out/objects/${source#Sources/CLossKernels/}
    object=${object%.c}.o
    mkdir -p "$(dirname "$object")"
    "$CC" --target=aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include -std=c11 -Wall -Wextra -O3 \
        -ffp-contract=off -fno-math-errno -fvisibility=hidden -DNDEBUG \
        -I Sources/CLossKernels -I Sources/CLossKernels/include -c "$source" -o "$object"
done
aarch64-linux-gnu-gcc -std=c99 -Wall -Wextra -pedantic -Werror -O2 -ffp-contract=off -I Sources/CLossKernels/include \
    Tests/Corpus/*.c "$out"/objects/*/*.o -lm -o "$out/corpus"
OBJDUMP=aarch64-linux-gnu-objdump Tests/Scripts/check-vector-code.sh "$out" neon

make lib OPENMP=0
gcc -std=c99 -O2 -ffp-contract=off -I Sources/CLossKernels/include Tests/Corpus/*.c "$BUILD/serial/libsegloss.a" -lm \
    -o "$out/corpus-here"
"$out/corpus-here" > "$out/here.txt"
echo "running the corpus under qemu"
qemu-aarch64 -L /usr/aarch64-linux-gnu "$out/corpus" > "$out/arm.txt"
diff "$out/here.txt" "$out/arm.txt" | head -n 20 > "$out/difference.txt"
if [ -s "$out/difference.txt" ]; then
    cat "$out/difference.txt"
    echo "AArch64 differs: < this machine, > AArch64" >&2
    exit 1
fi
echo "AArch64: $(wc -l < "$out/arm.txt") problems, the same bits as on $(uname -m)"
