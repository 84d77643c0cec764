#!/bin/sh
# Usage: check-vector-code.sh FOLDER [neon], where FOLDER/objects holds the built kernels.
# The kernels must be vector code of their instruction set's full width, and must call nothing that calculates. What
# this catches: a target attribute that was lost, a vector that fell apart into scalars, a call of expf or fmaf.
set -eu
cd "$(dirname "$0")/../.."
objdump=${OBJDUMP:-objdump}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# check OBJECT FAMILY WIDE: FAMILY_totals and so on are its entries, WIDE is a pattern of full-width float arithmetic. Prints what is wrong, and returns 1.
check() {
    object=$1
    family=$2
    wide=$3
    status=0

    foreign=$(nm -u "$object" | awk '$2 !~ /^(memcpy|memset|memmove|memcmp)$/ { print $2 }' | sort -u | tr '\n' ' ')
    if [ -n "$foreign" ]; then
        echo "$object calls $foreign"
        status=1
    fi

    # From the entries of the walks' table, through calls and tail jumps, to everything that they run.
    "$objdump" -d --no-show-raw-insn "$object" | awk -v wide="$wide" -v object="$object" -v family="$family" '
        /^[0-9a-f]+ <.*>:$/ {
            at = $2
            gsub(/[<>:]/, "", at)
            known[at] = 1
            next
        }
        $0 ~ wide { vector[at]++ }
        # x86: mulss, vfmadd213ss, vaddsd; AArch64: fmul s0, fmadd d0
        /\tv?(f?n?m?(add|sub)|mul|div)[0-9]*s[sd] / || /\tf(n?m(add|sub)|n?mul|add|sub|div)\t[sd][0-9]/ { scalar[at]++ }
        /\t(call|jmp|bl|b)q?[ \t]/ && match($0, /<[A-Za-z_][A-Za-z0-9_.]*(\+|>)/) {
            callee = substr($0, RSTART + 1, RLENGTH - 2)
            if (callee != at) calls[at] = calls[at] " " callee
        }
        function reach(name, list, count, i) {
            if (seen[name]++) return
            vectors += vector[name]
            scalars += scalar[name]
            count = split(calls[name], list, " ")
            for (i = 1; i <= count; i++) reach(list[i])
        }
        END {
            entries = split("totals gradient totals_and_gradient", entry, " ")
            for (e = 1; e <= entries; e++) entry[e] = family "_" entry[e]
            for (e = 1; e <= entries; e++) {
                delete seen
                vectors = scalars = 0
                if (!known[entry[e]]) {
                    print object " has no function " entry[e]
                    exit 1
                }
                reach(entry[e])
                printf "%s %s: %d wide, %d scalar\n", object, entry[e], vectors, scalars
                # Some scalars are right: a factor that is made once for a run before its loop.
                if (vectors < 100 || scalars > vectors / 10) bad = 1
            }
            exit bad
        }' || status=1
    return $status
}

avx512='[ \t]vf(n?m)(add|sub)[0-9]*ps .*%zmm'
avx2='[ \t]vf(n?m)(add|sub)[0-9]*ps .*%ymm'
neon='[ \t]fml[as][ \t]+v[0-9]+\.4s'
sse='[ \t]mulps .*%xmm'

failed=0
# expect FOLDER ISA WIDE
expect() {
    for family in softmax channel; do
        object=$1/objects/kernels/${family}_$2.o
        check "$object" $family "$3" || { echo "not vector code: $object" >&2; failed=1; }
    done
}

# No other family's kernels may call a function of a mathematics library either.
expect_own_calls() {
    for object in "$1"/objects/kernels/*_generic.o "$1"/objects/kernels/*_avx2.o "$1"/objects/kernels/*_avx512.o; do
        foreign=$(nm -u "$object" | awk '$2 !~ /^(memcpy|memset|memmove|memcmp|closs_inner_.*)$/ { print $2 }' |
            sort -u | tr '\n' ' ')
        if [ -n "$foreign" ]; then
            echo "$object calls $foreign" >&2
            failed=1
        fi
    done
}

# The check must be able to fail: it must find fault with each of these.
expect_fault() {
    if check "$2" softmax "$3" > /dev/null; then
        echo "the check finds no fault with $1" >&2
        failed=1
    else
        echo "found as it should be: $1"
    fi
}

if [ "${2:-}" = neon ]; then
    expect "$1" generic "$neon"
    exit $failed
fi
if [ "$(uname -m)" != x86_64 ]; then
    [ "$(uname -m)" = aarch64 ] || { echo "nothing is known about $(uname -m)"; exit 0; }
    expect "$1" generic "$neon"
    exit $failed
fi

expect "$1" avx512 "$avx512"
expect "$1" avx2 "$avx2"
expect "$1" generic "$sse"
expect_own_calls "$1"

cat > "$work/scalar.c" << 'END'
float expf(float);
#ifdef CALLS
#define F(x) expf(x)
#else
#define F(x) __builtin_fmaf(x, 0.5f, x)
#endif
#define KERNEL(name) \
    void name(float *x, int n) { for (int i = 0; i < n; i++) x[i] = F(x[i]) * F(x[i] + 1) + F(x[i] * 3); }
KERNEL(softmax_totals) KERNEL(softmax_gradient) KERNEL(softmax_totals_and_gradient)
END
"$CC" -O2 -mfma -fno-vectorize -fno-slp-vectorize -c "$work/scalar.c" -o "$work/scalar.o"
"$CC" -O2 -mfma -DCALLS -c "$work/scalar.c" -o "$work/calls.o"
expect_fault "a scalar loop" "$work/scalar.o" "$avx2"
expect_fault "a loop that calls expf" "$work/calls.o" "$avx2"
expect_fault "AVX2 code where AVX-512 is expected" "$1/objects/kernels/softmax_avx2.o" "$avx512"
exit $failed
