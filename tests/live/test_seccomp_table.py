"""The numbers of system calls are those of the kernel's own headers."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from sensor.live.seccomp import _ARCHITECTURES, _CALLS

AARCH64 = (  # Linux, arch/arm64/include/uapi/asm/unistd.h
    "__ARCH_WANT_RENAMEAT",
    "__ARCH_WANT_NEW_STAT",
    "__ARCH_WANT_SET_GET_RLIMIT",
    "__ARCH_WANT_SYS_CLONE3",
)
HEADERS = {"x86_64": ("asm/unistd_64.h", ()), "aarch64": ("asm-generic/unistd.h", AARCH64)}


def numbers(header: str, wanted: tuple[str, ...]) -> dict[str, int]:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    done = subprocess.run(
        [compiler, "-E", "-dM", *(f"-D{name}" for name in wanted), "-include", header, "-xc", "/dev/null"],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"the kernel's headers are not installed: {header}")
    macros = dict(re.findall(r"^#define (\w+) (\w+)$", done.stdout, re.MULTILINE))
    calls = {}
    for name, value in macros.items():
        if name.startswith("__NR_"):
            number = macros.get(value, value)
            if number.isdigit():
                calls[name.removeprefix("__NR_")] = int(number)
    assert len(calls) > 250
    return calls


@pytest.mark.parametrize(("column", "machine"), list(enumerate(HEADERS)))
def test_numbers_are_the_kernels(column: int, machine: str) -> None:
    kernel = numbers(*HEADERS[machine])
    # Kernels before 6.11 call the same numbers so.
    others = {"newfstatat": "fstatat", "fadvise64": "fadvise64_64"}
    ours = {name: found[column] for name, found in _CALLS.items()}
    wrong = {
        name: (number, kernel.get(name, -1))
        for name, number in ours.items()
        if number != kernel.get(name, kernel.get(others.get(name, ""), -1))
    }
    assert wrong == {}


def test_every_machine_has_a_header() -> None:
    assert list(HEADERS) == list(_ARCHITECTURES)
