"""The captures a command is asked to read: found, looked at, and refused with one clear line each when they
are none.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sensor.errors import UserError, from_os_error

CAPTURE_MAGICS = {
    b"\xa1\xb2\xc3\xd4": "pcap",
    b"\xd4\xc3\xb2\xa1": "pcap",
    b"\xa1\xb2\x3c\x4d": "pcap, nanoseconds",
    b"\x4d\x3c\xb2\xa1": "pcap, nanoseconds",
    b"\xa1\xb2\xcd\x34": "pcap, Kuznetzov",
    b"\x34\xcd\xb2\xa1": "pcap, Kuznetzov",
    b"\x0a\x0d\x0d\x0a": "pcapng",
}
STANDARD_INPUT = "/dev/stdin"
_PACKED = {
    b"\x1f\x8b": "gzip -dc",
    b"\x28\xb5\x2f\xfd": "zstd -dc",
    b"\xfd7zX": "xz -dc",
    b"BZh": "bzip2 -dc",
    b"PK": "unzip -p",
}


@dataclass
class Captures:
    """The files to read, in order, and why the others are not."""

    paths: list[str] = field(default_factory=list)
    refused: list[UserError] = field(default_factory=list)
    total_bytes: int = 0


def find_captures(names: Iterable[str]) -> Captures:
    """Each file as given; of each folder the captures below it, of each pattern (`day/*.pcap`) what it
    matches, sorted by path; `-` is standard input. Nothing is raised."""
    found = Captures()
    for name in _written_out(names):
        path = Path(name)
        try:
            if path.is_dir():
                _add_folder(found, path)
            else:
                _add(found, path)
        except UserError as error:
            found.refused.append(error)
        except OSError as error:
            found.refused.append(from_os_error(error, where=path))
        except ValueError as error:  # a name with a NUL byte
            found.refused.append(UserError(str(error), where=name, fix="check the name"))
    return found


def _written_out(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name == "-":
            yield STANDARD_INPUT
        elif any(sign in name for sign in "*?[") and "\0" not in name and not Path(name).exists():
            matches = glob.glob(name, recursive=True)  # noqa: PTH207  # patterns may be absolute
            yield from sorted(matches) or [name]
        else:
            yield name


def _add(found: Captures, path: Path) -> None:
    if path.is_fifo():  # `<(zcat x.pcap.gz)`: cannot be looked at without taking from it
        found.paths.append(os.fspath(path))
        return
    if not path.is_file():
        path.stat()  # absent or unreachable: the system says which
        raise UserError("not a regular file", where=path, fix="give a file or a pipe")
    size = path.stat().st_size
    magic = _magic(path)
    if size == 0:
        raise UserError("empty, 0 bytes", where=path, fix="was the capture written and closed?")
    if magic not in CAPTURE_MAGICS:
        for start, command in _PACKED.items():
            if magic.startswith(start):
                raise UserError("compressed", where=path, fix=f"in bash: haidang replay <({command} FILE)")
        raise UserError(
            "not a capture: neither pcap nor pcapng", where=path, fix="give a file written by tcpdump or such"
        )
    found.paths.append(os.fspath(path))
    found.total_bytes += size


def _add_folder(found: Captures, folder: Path) -> None:
    def refuse(error: OSError) -> None:
        found.refused.append(from_os_error(error, where=error.filename or folder))

    before = len(found.paths) + len(found.refused)
    files = (Path(top) / name for top, _, names in os.walk(folder, onerror=refuse) for name in names)
    for path in sorted(files):
        try:
            if path.is_file() and _magic(path) in CAPTURE_MAGICS:
                _add(found, path)
        except OSError as error:
            refuse(error)
    if len(found.paths) + len(found.refused) == before:
        raise UserError(
            "no capture (pcap, pcapng) below this directory", where=folder, fix="give another, or files"
        )


def _magic(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)
