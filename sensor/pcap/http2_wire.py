"""HTTP/2 in the clear (RFC 9113, 7541): where header values in Huffman code are that name hosts, people or
secrets, and where the bodies are. Only finds; a connection is read from its preface on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sensor.pcap.http_bodies import Body

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_FRAMES = 100_000
_HEADER_BYTES = 9
_DATA, _HEADERS, _PUSH_PROMISE, _CONTINUATION = 0, 1, 5, 9
_PADDED, _PRIORITY = 0x08, 0x20
_STATIC_NAMES = 61
# :authority, authorization, cookie, from, host, location, proxy-authenticate, proxy-authorization, referer,
# set-cookie, via, www-authenticate
_TELLING = frozenset((1, 23, 32, 37, 38, 46, 48, 49, 51, 55, 60, 61))
_GZIP = b"\x1f\x8b\x08"


class Frame(NamedTuple):
    """kind, stream, and where the payload lies without its padding."""

    kind: int
    stream: int
    start: int
    end: int


def frames(data: bytes) -> Iterator[Frame]:
    """The frames of one direction."""
    at = len(PREFACE) if data.startswith(PREFACE) else 0
    for _ in range(MAX_FRAMES):
        if at + _HEADER_BYTES > len(data):
            return
        size = int.from_bytes(data[at : at + 3], "big")
        kind, flags = data[at + 3], data[at + 4]
        start, end = at + _HEADER_BYTES, min(at + _HEADER_BYTES + size, len(data))
        stream = int.from_bytes(data[at + 5 : at + 9], "big") & 0x7FFFFFFF
        at += _HEADER_BYTES + size
        if flags & _PADDED and kind in (_DATA, _HEADERS, _PUSH_PROMISE) and start < end:
            end = max(start + 1, end - data[start])
            start += 1
        if kind == _HEADERS and flags & _PRIORITY:
            start += 5
        yield Frame(kind, stream, start + (4 if kind == _PUSH_PROMISE else 0), end)


def telling_values(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the values in Huffman code are that must go: of fields that name somebody, and of those whose
    name only a decoder would know."""
    for frame in frames(data):
        if frame.kind in (_HEADERS, _PUSH_PROMISE, _CONTINUATION):
            yield from _fields(data, frame.start, frame.end)


def bodies(data: bytes) -> Iterator[Body]:
    """The compressed bodies, by what they begin with."""
    found: dict[int, Body] = {}
    for frame in frames(data):
        if frame.kind == _DATA and frame.start < frame.end:
            found.setdefault(frame.stream, Body(b"gzip")).pieces.append((frame.start, frame.end))
    for body in found.values():
        if body.bytes_in(data).startswith(_GZIP):
            yield body


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    while at < end:
        first = data[at]
        if first & 0x80:
            _, at = _integer(data, at, 7, end)
            continue
        if first & 0xE0 == 0x20:  # another size of the table
            _, at = _integer(data, at, 5, end)
            continue
        index, at = _integer(data, at, 6 if first & 0x40 else 4, end)
        if not index:
            size, at = _integer(data, at, 7, end)
            at += size
        if at >= end:
            return
        is_huffman = bool(data[at] & 0x80)
        size, at = _integer(data, at, 7, end)
        if is_huffman and (index in _TELLING or not 0 < index <= _STATIC_NAMES):
            yield at, min(at + size, end)
        at += size


def _integer(data: bytes, at: int, bits: int, end: int) -> tuple[int, int]:
    """RFC 7541, 5.1."""
    top = (1 << bits) - 1
    value, at, shift = data[at] & top, at + 1, 0
    if value < top:
        return value, at
    while at < end and shift < 28:
        value += (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return value, at
    return value, end


def blank_huffman(size: int) -> bytes:
    """As many bytes of Huffman code that say nothing but zeros: five bits each, and ones behind."""
    rest = size * 8 % 5
    return ((1 << rest) - 1).to_bytes(size, "big") if size else b""
