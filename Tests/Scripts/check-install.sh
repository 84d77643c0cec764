#!/bin/sh
# Installs the C library into a folder of its own and builds and runs the C example against it with gcc, as a user
# would: found by pkg-config, linked shared and static.
set -eu
cd "$(dirname "$0")/../.."
work=$(realpath "$(mktemp -d)")
trap 'rm -rf "$work"' EXIT
flags="-std=c99 -Wall -Wextra -pedantic -Werror"

make install DESTDIR= PREFIX="$work/prefix" OPENMP=1
PKG_CONFIG_PATH=$work/prefix/lib/pkgconfig
export PKG_CONFIG_PATH
echo "segloss $(pkg-config --modversion segloss)"
readelf -d "$work/prefix/lib/libsegloss.so" | grep -q 'SONAME.*\[libsegloss\.so\.[0-9]*\]' ||
    { echo "the shared library has no SONAME" >&2; exit 1; }

# shellcheck disable=SC2046,SC2086 # lists of words
{
    gcc $flags Examples/C/train_step.c $(pkg-config --cflags --libs segloss) -o "$work/shared"
    LD_LIBRARY_PATH=$work/prefix/lib "$work/shared"
    readelf -d "$work/shared" | grep -q 'NEEDED.*\[libsegloss\.so\.[0-9]*\]' ||
        { echo "the example did not link the shared library by its SONAME" >&2; exit 1; }

    # A linker prefers a shared library where it finds one.
    rm "$work"/prefix/lib/libsegloss.so*
    gcc $flags Examples/C/train_step.c $(pkg-config --static --cflags --libs segloss) -o "$work/static"
    LD_LIBRARY_PATH=$work/prefix/lib "$work/shared" > /dev/null 2>&1 &&
        { echo "the shared library is still found" >&2; exit 1; }
    "$work/static" > /dev/null
}
echo "the C example runs, linked with the shared and with the static library"

make install DESTDIR="$work/stage" PREFIX=/usr OPENMP=1 > /dev/null
(cd "$work/stage" && find . ! -type d | sort)
grep -qx 'prefix=/usr' "$work/stage/usr/lib/pkgconfig/segloss.pc" ||
    { echo "segloss.pc does not name the final prefix" >&2; exit 1; }
make uninstall DESTDIR="$work/stage" PREFIX=/usr > /dev/null
left=$(find "$work/stage" ! -type d)
[ -z "$left" ] || { echo "make uninstall left $left" >&2; exit 1; }
echo "make uninstall leaves nothing"
