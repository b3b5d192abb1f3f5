"""Segments: files of sealed batches that people carry (docs/spec/bus.md, "Sticks"). One is whole, signed
and of bounded size, or it is not there.

    segment = "HDX1" size(2) head entry... 00000000 00 size(2) tail signatures
    entry   = size(4) kind(1) bytes          kind 1: a sealed batch, 2: a message (origin, lost)
    signed  = "haidang segment" 0 SHA-256(everything before the signatures)

Batches are sealed to the receiver already; head and messages are in clear. What an entry means is not known
here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Annotated, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

from sensor.bus.durable import sync_directory
from sensor.bus.keys import SensorKeys
from sensor.bus.messages import MAX_MESSAGE_BYTES
from sensor.bus.seal import MAX_RECORD_BYTES, KeyId, Microseconds, Number, SensorName

MAGIC = b"HDX1"
SUFFIX = ".hdx"
VERSION = 1
BATCH, MESSAGE = 1, 2
SEGMENT_BYTES = 32 * 1024 * 1024  # then the next one begins: a break costs no more than this
MAX_SEGMENT_BYTES = SEGMENT_BYTES + MAX_RECORD_BYTES + MAX_MESSAGE_BYTES + 64 * 1024
ID_BYTES = 16
_ED25519_BYTES = 64
_SIGNATURE_BYTES = _ED25519_BYTES + 3309
_DOMAIN = b"haidang segment\0"
_SIZE = struct.Struct(">H")
_ENTRY = struct.Struct(">IB")
_MAX_PART_BYTES = 4096

Verifiers = tuple[Ed25519PublicKey, MLDSA65PublicKey]
Cursor = Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]], msgspec.Meta(max_length=8)]


class Head(msgspec.Struct, frozen=True, array_like=True):
    """What a segment says of itself. Times in µs since 1970, by the exporter's clock; 0: no bound."""

    version: int
    export: Annotated[bytes, msgspec.Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
    number: Annotated[int, msgspec.Meta(ge=0, le=999_999)]
    exporter: SensorName
    signer: KeyId
    recipient: KeyId
    since_us: Microseconds
    until_us: Microseconds
    made_us: Microseconds


class Tail(msgspec.Struct, frozen=True, array_like=True):
    """How a segment ends. cursor: where its source goes on. is_last: what the source had is complete with
    it.
    """

    batches: Number
    events: Number
    cursor: Cursor
    is_last: bool


class SegmentError(Exception):
    """Why a file is no segment that can be taken."""


class Entry(NamedTuple):
    kind: int
    content: bytes


class Segment(NamedTuple):
    """A segment whose signatures held."""

    head: Head
    tail: Tail
    digest: bytes
    entries: list[Entry]


def file_name(export: bytes, number: int) -> str:
    return f"{export.hex()}-{number:06d}{SUFFIX}"


class Writer:
    """Writes one segment; leaving it without `finish` leaves nothing behind."""

    def __init__(self, directory: Path, head: Head, keys: SensorKeys) -> None:
        """OSError when the directory does not take it."""
        self._path = directory / file_name(head.export, head.number)
        self._part = directory / f".{self._path.name}.{secrets.token_hex(4)}.part"
        self._signers = keys.signers()
        self._hash = hashlib.sha256()
        self.size = 0
        self.batches = self.events = 0
        descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        packed = msgspec.msgpack.encode(head)
        self._write(MAGIC + _SIZE.pack(len(packed)) + packed)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)

    def add(self, kind: int, content: bytes, events: int = 0) -> None:
        """Append a sealed batch with so many events, or a message."""
        self._write(_ENTRY.pack(len(content), kind) + content)
        if kind == BATCH:
            self.batches += 1
            self.events += events

    def finish(self, cursor: list[int], *, is_last: bool) -> None:
        """Sign, make durable, and give it its name."""
        tail = msgspec.msgpack.encode(Tail(self.batches, self.events, cursor, is_last))
        self._write(_ENTRY.pack(0, 0) + _SIZE.pack(len(tail)) + tail)
        signed = _DOMAIN + self._hash.digest()
        self._file.write(b"".join(signer.sign(signed) for signer in self._signers))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.rename(self._path)
        sync_directory(self._path.parent)

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._hash.update(content)
        self.size += len(content)


def read(path: Path, verifiers: Callable[[Head], Verifiers | None]) -> Segment:
    """Read and verify a segment. verifiers: the keys of who made it, or None. SegmentError; OSError."""
    content = _read_bounded(path)
    head, at = _head(content)
    keys = verifiers(head)
    if keys is None:
        raise SegmentError(f"made by {head.exporter}, whose keys are not known here")
    end = len(content) - _SIGNATURE_BYTES
    digest = hashlib.sha256(content[: max(end, 0)]).digest()
    signatures = content[max(end, 0) :]
    try:
        keys[0].verify(signatures[:_ED25519_BYTES], _DOMAIN + digest)
        keys[1].verify(signatures[_ED25519_BYTES:], _DOMAIN + digest)
    except (InvalidSignature, ValueError) as error:
        raise SegmentError("cut short, or changed since it was signed") from error
    return Segment(head, *_parse(content[:end], at, digest))


def read_head(path: Path) -> Head:
    """The head alone, not verified. SegmentError; OSError."""
    return _head(_read_bounded(path))[0]


def parse(content: bytes) -> tuple[Head, Tail, list[Entry]]:
    """The parts of a segment without its signatures; nothing is verified. SegmentError."""
    head, at = _head(content)
    tail, _, entries = _parse(content, at, b"")
    return head, tail, entries


def _read_bounded(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SegmentError("is no file")
        content = file.read(MAX_SEGMENT_BYTES + 1)
    if len(content) > MAX_SEGMENT_BYTES:
        raise SegmentError(f"more than {MAX_SEGMENT_BYTES} bytes")
    return content


def _head(content: bytes) -> tuple[Head, int]:
    if content[:4] != MAGIC:
        raise SegmentError("does not begin with HDX1")
    packed, at = _part(content, 4)
    try:
        head = msgspec.msgpack.decode(packed, type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SegmentError(f"its head is none: {error}") from error
    if head.version != VERSION:
        raise SegmentError(f"of version {head.version}; this is version {VERSION}")
    return head, at


def _parse(content: bytes, at: int, digest: bytes) -> tuple[Tail, bytes, list[Entry]]:
    entries = []
    for entry, after in _entries(content, at):
        at = after
        if entry is not None:
            entries.append(entry)
    packed, at = _part(content, at)
    if at != len(content):
        raise SegmentError("goes on after its end")
    try:
        tail = msgspec.msgpack.decode(packed, type=Tail)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SegmentError(f"its end is none: {error}") from error
    return tail, digest, entries


def _entries(content: bytes, at: int) -> Iterator[tuple[Entry | None, int]]:
    """Entries with the place after each; at last None, with the place after the end mark."""
    while True:
        if len(content) - at < _ENTRY.size:
            raise SegmentError("ends within an entry")
        size, kind = _ENTRY.unpack_from(content, at)
        at += _ENTRY.size
        if kind == 0 and size == 0:
            yield None, at
            return
        if kind not in (BATCH, MESSAGE) or size > len(content) - at:
            raise SegmentError("holds an entry that is none")
        yield Entry(kind, content[at : at + size]), at + size
        at += size


def _part(content: bytes, at: int) -> tuple[bytes, int]:
    if len(content) - at < _SIZE.size:
        raise SegmentError("is too short")
    (size,) = _SIZE.unpack_from(content, at)
    at += _SIZE.size
    if size > _MAX_PART_BYTES or size > len(content) - at:
        raise SegmentError("holds a part that does not fit")
    return content[at : at + size], at + size
