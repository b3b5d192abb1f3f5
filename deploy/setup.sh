#!/bin/sh
# From a bare Debian 12 to a working build: system packages, virtual environment, Rust, release build.
# Each step remembers what it was made from (.venv/stamps) and is left out while that has not changed.
#   deploy/setup.sh          everything     deploy/setup.sh --lint   also what the lint steps of .ci/run need
set -eu
cd "$(dirname "$0")/.."

RUST_OLDEST="1.85"   # rust-version in sensor/engine/Cargo.toml; what Debian 12 offers as rustc-web
VENV=.venv
STAMPS=$VENV/stamps

say() { printf '== %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# at_least HAVE WANTED: whether a dotted version is new enough.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# done_before STEP HASH: whether the step was done from the same inputs.
done_before() { [ "$(cat "$STAMPS/$1" 2>/dev/null)" = "$2" ]; }
remember() { mkdir -p "$STAMPS" && printf '%s\n' "$2" > "$STAMPS/$1"; }
hash_files() { sha256sum "$@" | sha256sum | cut -c 1-64; }

has_rust() { command -v cargo >/dev/null && at_least "$(cargo --version | cut -d ' ' -f 2)" "$RUST_OLDEST"; }
has_python() { python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

missing_packages() {
    command -v cc >/dev/null && command -v c++ >/dev/null || echo build-essential
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
    command -v pkg-config >/dev/null || echo pkg-config
    if command -v pkg-config >/dev/null; then
        pkg-config --exists libhs || echo libhyperscan-dev
        pkg-config --exists libpcre2-8 || echo libpcre2-dev
    else
        echo libhyperscan-dev libpcre2-dev
    fi
    has_python || echo python3-venv
    has_rust || echo rustc-web cargo-web
    if [ "${1:-}" = --lint ]; then
        command -v rustfmt >/dev/null || echo rustfmt-web
        command -v cargo-clippy >/dev/null || echo rust-web-clippy
        command -v valgrind >/dev/null || echo valgrind
    fi
}

install_packages() {
    packages=$(missing_packages "$@" | tr '\n' ' ')
    [ -n "$packages" ] || return 0
    say "system packages: $packages"
    command -v apt-get >/dev/null || die "install what Debian calls: $packages"
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "as root, run: apt-get install $packages"
        as_root="sudo"
    fi
    $as_root apt-get update -q
    # shellcheck disable=SC2086  # a list of words
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -q -y --no-install-recommends $packages
    [ -z "$(missing_packages "$@")" ] || die "still missing after installation: $(missing_packages "$@" | tr '\n' ' ')"
}

make_environment() {
    inputs=$(hash_files deploy/setup.sh pyproject.toml)
    done_before environment "$inputs" && return 0
    say "virtual environment $VENV"
    [ -x $VENV/bin/python ] || python3 -m venv $VENV
    # The list of what to install is pyproject.toml's; maturin itself comes first, as it installs the rest.
    $VENV/bin/python -m pip install -q --disable-pip-version-check "$($VENV/bin/python deploy/pinned.py maturin)"
    remember environment "$inputs"
    rm -f $STAMPS/engine
}

build_engine() {
    sources=$(find sensor/engine \( -name '*.rs' -o -name 'Cargo.*' -o -name '*.h' -o -name '*.lua' \) -not -path '*/target/*' -not -path '*/fuzz/*')
    # shellcheck disable=SC2086  # our own file names, without blanks
    inputs=$(hash_files pyproject.toml $sources)
    done_before engine "$inputs" && [ -n "$(ls sensor/_engine*.so 2>/dev/null)" ] && return 0
    say "engine, release build, and Python packages"
    VIRTUAL_ENV=$PWD/$VENV $VENV/bin/maturin develop --release --extras dev,centre
    remember engine "$inputs"
}

install_packages "$@"
make_environment
build_engine
