"""Rule files out of .tar, .tar.gz and .zip archives, in memory. Archives are hostile: nothing is written to
disk, only ordinary files are taken, and sizes are counted while reading, never believed.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

from sensor.errors import UserError

MAX_MEMBERS = 20_000  # the largest public archive has 100 files
MAX_MEMBER_BYTES = 128 << 20  # as one rule file (sensor.rules.sources)
MAX_TOTAL_BYTES = 256 << 20
_MAX_NAME_CHARACTERS = 512
_WANTED = (".rules", ".config", ".lst", ".md5", ".sha1", ".sha256", ".txt", ".csv", ".lua")
_BEGINNINGS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"PK\x03\x04")
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
            NotImplementedError, RuntimeError, OverflowError)  # fmt: skip


def is_archive(content: bytes) -> bool:
    """Whether the bytes begin like an archive this module opens."""
    return content.startswith(_BEGINNINGS) or content[257:262] == b"ustar"


def unpack(content: bytes, where: str, remarks: list[str]) -> dict[str, bytes]:
    """The files of an archive by name. What is no ordinary file, or has a name that leaves it, becomes a
    remark. Raises UserError for an archive that is damaged or too large.
    """
    open_members = _zip_members if content[:4] == b"PK\x03\x04" else _tar_members
    files: dict[str, bytes] = {}
    total = 0
    try:
        for number, (name, kind, file) in enumerate(open_members(content)):
            if number >= MAX_MEMBERS:
                raise UserError(f"more than {MAX_MEMBERS} members", where=where, fix="is this a rule set?")
            refusal = kind or _refused_name(name)
            if refusal:
                remarks.append(f"{where}: {name[:_MAX_NAME_CHARACTERS]!r} is {refusal}; it is left out")
                continue
            if file is None or not name.endswith(_WANTED):
                continue
            with file:
                limit = min(MAX_MEMBER_BYTES, MAX_TOTAL_BYTES - total)
                data = file.read(limit + 1)
            if len(data) > limit:
                raise UserError(
                    f"{name!r} unpacks to more than {limit} bytes", where=where, fix="is this a rule set?"
                )
            total += len(data)
            files[name.lstrip("/").removeprefix("./")] = data
    except UserError as error:
        raise error if error.where else UserError(error.what, where=where, fix=error.fix) from None
    except _DAMAGED as error:
        raise UserError(f"damaged archive: {error}", where=where, fix="fetch it again") from None
    return files


def _refused_name(name: str) -> str:
    if len(name) > _MAX_NAME_CHARACTERS or "\0" in name or "\\" in name:
        return "no file name"
    if ".." in name.split("/"):
        return "a name outside of the archive"
    return ""


Member = tuple[str, str, IO[bytes] | None]  # name, why it is refused, its bytes


def _tar_members(content: bytes) -> Iterator[Member]:
    with tarfile.open(fileobj=cast(IO[bytes], _Bounded(_unpacking(content))), mode="r|") as archive:
        for member in archive:
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                yield member.name, "no ordinary file", None
            else:
                yield member.name, "", archive.extractfile(member)


def _unpacking(content: bytes) -> IO[bytes]:
    file = io.BytesIO(content)
    if content[:2] == b"\x1f\x8b":
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if content[:3] == b"BZh":
        return cast(IO[bytes], bz2.BZ2File(file))
    return cast(IO[bytes], lzma.LZMAFile(file)) if content[:6] == b"\xfd7zXZ\0" else file


class _Bounded:
    """A file that refuses after MAX_TOTAL_BYTES: headers and members nobody wants are unpacked too."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left = file, MAX_TOTAL_BYTES

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise UserError(f"unpacks to more than {MAX_TOTAL_BYTES} bytes", fix="is this a rule set?")
        return data


def _zip_members(content: bytes) -> Iterator[Member]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            mode = info.external_attr >> 16
            if mode and (mode & 0o170000) not in (0, 0o100000):
                yield info.filename, "no ordinary file", None
            elif info.flag_bits & 1:
                yield info.filename, "encrypted", None
            else:
                yield info.filename, "", archive.open(info)
