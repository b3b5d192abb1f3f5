"""Which files a sensor may reach once everything is open (landlock(7)): what is not named can be neither
read nor written, whatever its rights say.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from sensor.errors import UserError

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every architecture
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_READ = 1 << 2 | 1 << 3  # files, folders
_WRITE = 1 << 1 | sum(1 << bit for bit in range(4, 13))  # write, remove, make
_EXECUTE = 1 << 0
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_OF_FILES = 1 << 0 | 1 << 1 | 1 << 2 | _TRUNCATE


def version() -> int:
    """Of the kernel's Landlock; 0 when it has none."""
    return max(0, int(_call(_CREATE, None, 0, _VERSION_FLAG)))


def restrict(read: Iterable[Path], write: Iterable[Path]) -> None:
    """From now on, for this thread and those it starts, only what is in or below these; what is written can
    be read too. no_new_privs must be set. Names that are not there are left out. UserError: it cannot be.
    """
    kernel = version()
    if not kernel:
        raise UserError("the kernel has no Landlock")
    writing = _WRITE | (_REFER if kernel >= 2 else 0) | (_TRUNCATE if kernel >= 3 else 0)
    handled = struct.pack("=Q", _EXECUTE | _READ | writing)
    rules = _call(_CREATE, handled, len(handled), 0)
    if rules < 0:
        raise UserError(f"landlock is refused: {os.strerror(ctypes.get_errno())}")
    try:
        for paths, rights in ((read, _READ), (write, _READ | writing)):
            for path in paths:
                _allow(rules, path, rights)
        if _call(_RESTRICT, rules, 0, 0, 0) < 0:
            raise UserError(f"landlock is refused: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_FILES
        if _call(_ADD, rules, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0) < 0:
            raise UserError(f"landlock is refused: {os.strerror(ctypes.get_errno())}", where=path)
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.syscall(ctypes.c_long(number), *arguments))
