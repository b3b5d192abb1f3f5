#!/bin/sh
# From a bare Debian 12 to a working build: system packages, virtual environment, Rust, release build.
# Each step remembers what it was made from (.venv/stamps) and is left out while that has not changed.
#   deploy/setup.sh               everything
#   deploy/setup.sh --lint        also what the lint steps of .ci/run need
#   deploy/setup.sh --optimize    the engine for service: built twice, the second time for the paths that a replay took
set -eu
cd "$(dirname "$0")/.."

RUST_OLDEST="1.85"   # rust-version in sensor/engine/Cargo.toml; what Debian 12 offers as rustc-web
VENV=.venv
STAMPS=$VENV/stamps
OWN_RUSTFLAGS="${RUSTFLAGS:-}"
PROFILE=sensor/engine/target/profile
# What the engine is to be fast at. Your own traffic and rules say more about your network than ours do.
TRAIN_PCAP="${TRAIN_PCAP:-pcaps}"            # files, folders
TRAIN_RULES="${TRAIN_RULES:-rules/*.rules}" # a file or a pattern

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

# The tool that merges profiles, of the compiler's own LLVM or the distribution's of the same version; empty when absent.
profdata_tool() {
    host=$(rustc -vV | sed -n 's/^host: //p')
    for tool in "$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata" "llvm-profdata-$(llvm_version)"; do
        if command -v "$tool"; then return 0; fi
    done
}
llvm_version() { rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p'; }

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
    apt_install "$packages"
    [ -z "$(missing_packages "$@")" ] || die "still missing after installation: $(missing_packages "$@" | tr '\n' ' ')"
}

# apt_install PACKAGES: a list of words.
apt_install() {
    packages=$1
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

engine_inputs() {
    sources=$(find sensor/engine \( -name '*.rs' -o -name 'Cargo.*' -o -name '*.h' -o -name '*.lua' \) -not -path '*/target/*' -not -path '*/fuzz/*')
    # shellcheck disable=SC2086  # our own file names, without blanks
    hash_files pyproject.toml $sources
}
has_engine() { [ -n "$(ls sensor/_engine*.so 2>/dev/null)" ]; }

# compile [FLAG]: the engine, with this flag for rustc besides the usual ones, and the Python packages.
compile() {
    rm -f $STAMPS/engine $STAMPS/optimized
    if [ $# != 0 ]; then export RUSTFLAGS="$OWN_RUSTFLAGS $1"; fi
    VIRTUAL_ENV=$PWD/$VENV $VENV/bin/maturin develop --release --extras dev,centre
}

build_engine() {
    inputs=$(engine_inputs)
    done_before engine "$inputs" && has_engine && return 0
    say "engine, release build, and Python packages"
    compile
    remember engine "$inputs"
}

# Every branch is counted while captures are replayed; what they never or seldom do is then moved out of the way of the rest.
optimize_engine() {
    inputs=$(engine_inputs)
    for path in $TRAIN_PCAP $TRAIN_RULES; do
        [ -e "$path" ] || die "$path is not there: give captures by TRAIN_PCAP, a rule file or pattern by TRAIN_RULES"
    done
    # shellcheck disable=SC2086  # a pattern, and a list
    trained="$inputs $(find $TRAIN_PCAP $TRAIN_RULES -type f -exec sha256sum {} + | sort | sha256sum | cut -c 1-64)"
    done_before optimized "$trained" && done_before engine "$inputs" && has_engine && return 0
    if [ -z "$(profdata_tool)" ]; then
        if command -v rustup >/dev/null; then
            rustup component add llvm-tools
        else
            apt_install "llvm-$(llvm_version)"
        fi
    fi
    tool=$(profdata_tool)
    [ -n "$tool" ] || die "no llvm-profdata of LLVM $(llvm_version), the one of $(rustc --version)"
    profile=$PWD/$PROFILE
    rm -rf "$profile"
    say "engine that counts what it does (1 of 3)"
    compile "-Cprofile-generate=$profile/counts"
    say "training on $TRAIN_PCAP with $TRAIN_RULES (2 of 3)"
    rm -rf "$profile/counts" # those of build scripts
    mkdir -p "$profile/out"
    # shellcheck disable=SC2086  # a list
    $VENV/bin/python -m sensor.cli replay -k none -S "$TRAIN_RULES" -l "$profile/out" --data-dir "$profile/out" $TRAIN_PCAP \
        >/dev/null
    "$tool" merge -o "$profile/merged.profdata" "$profile/counts"
    say "engine laid out by these counts (3 of 3)"
    compile "-Cprofile-use=$profile/merged.profdata"
    remember engine "$inputs"
    remember optimized "$trained"
}

install_packages "$@"
make_environment
if [ "${1:-}" = --optimize ]; then optimize_engine; else build_engine; fi
