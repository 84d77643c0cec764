#!/bin/sh
# Installs those of the named Debian packages that are missing; says which, and what for.
set -eu

purpose() {
    case $1 in
    libomp-dev) echo "the OpenMP runtime that the kernels run on" ;;
    libpng-dev) echo "the bench reads label maps from PNG files" ;;
    pkg-config) echo "C programs find the installed library with it" ;;
    python3-venv) echo "the bench's peers live in a Python environment of their own" ;;
    gcc | g++) echo "the header and the C example must build with another compiler than the library's" ;;
    binutils) echo "the tests look into the built library" ;;
    gcc-aarch64-linux-gnu) echo "links programs for AArch64" ;;
    libc6-dev-arm64-cross) echo "headers and C library for AArch64" ;;
    qemu-user) echo "runs programs for AArch64" ;;
    *) echo "needed" ;;
    esac
}

is_there() {
    # A Python that was not installed by the system's packages brings its own venv.
    if [ "$1" = python3-venv ] && python3 -c 'import ensurepip, venv' 2> /dev/null; then return 0; fi
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null)" = installed ]
}

if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
    echo "This system has no apt-get. Needed, by Debian's names: $*"
    exit 0
fi

missing=
for package in "$@"; do
    is_there "$package" && continue
    echo "missing: $package ($(purpose "$package"))"
    missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo > /dev/null; then
        echo "Neither root nor sudo: install them with  apt-get install$missing" >&2
        exit 1
    fi
    # Without a terminal nobody could type a password.
    if [ -t 0 ]; then as_root=sudo; else as_root="sudo -n"; fi
fi
echo "installing:$missing"
# Some of these packages are virtual or renamed in newer lists only.
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
