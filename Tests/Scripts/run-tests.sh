#!/bin/sh
# `make test`: runs every check, also after one has failed, and ends with a summary.
set -eu
cd "$(dirname "$0")/../.."
scripts=Tests/Scripts
lib=$BUILD/openmp
summary=
failed=0

# A user's build only warns.
export CFLAGS=-Werror

step() {
    title=$1
    shift
    echo
    echo "==== $title"
    echo "     $*"
    started=$(date +%s)
    if "$@"; then result=passed; else
        result=FAILED
        failed=$((failed + 1))
    fi
    line=$(printf '%-8s %-62s %4d s' "$result" "$title" $(($(date +%s) - started)))
    echo "     $line"
    summary="$summary$line
"
}

# shellcheck disable=SC2086 # SWIFTFLAGS is a list of words
swift_tests() { swift test $SWIFTFLAGS "$@"; }

step "Swift tests, debug" swift_tests
step "Swift tests, release" swift_tests -c release
step "The C header as C99 and as C++17" $scripts/check-header.sh
step "The C library builds" make -j"$(nproc)" lib OPENMP=1
step "The C library exports its API and nothing else" $scripts/check-names.sh "$lib"
step "Hot loops are vector code" $scripts/check-vector-code.sh "$lib"
step "The corpus: the same bits on every instruction set" $scripts/check-corpus.sh "$lib"
step "Install, pkg-config, C example, shared and static" $scripts/check-install.sh
step "The Swift example" swift run --package-path Examples/Swift TrainStep

echo
echo "==== Summary"
printf '%s' "$summary"
if [ $failed -gt 0 ]; then
    echo "$failed of the checks FAILED."
    exit 1
fi
echo "All checks passed."
