"""Compressed bodies of HTTP/1 messages: read, rewritten and compressed anew to the same number of bytes, with
spaces behind. What cannot be read is blanked.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import zstandard

MAX_PLAIN_BYTES = 32 << 20
MAX_STORED_BYTES = 0xFFFF  # of one stored block (RFC 1951, 3.2.4)
MAX_HEADER_BYTES = 65_536
_PIECE_BYTES = 1024
_CODING = re.compile(rb"(?im)^content-encoding:[ \t]{0,8}([A-Za-z0-9-]{1,16})")
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]{0,8}(\d{1,12})")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding:[^\r\n]{0,64}chunked")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]{0,256}\r\n")
_PLAIN = (b"identity", b"none")


@dataclass
class Body:
    """coding: as the header says; pieces: where it lies, without what frames chunks."""

    coding: bytes
    pieces: list[tuple[int, int]] = field(default_factory=list)

    def bytes_in(self, data: bytes) -> bytes:
        """The body as it was sent."""
        return b"".join(data[start:end] for start, end in self.pieces)

    def put(self, image: bytes, out: bytearray) -> None:
        """Write another body of the same size where it lies."""
        at = 0
        for start, end in self.pieces:
            out[start:end] = image[at : at + end - start]
            at += end - start


def compressed_bodies(data: bytes) -> Iterator[Body]:
    """Every compressed body of a stretch of one direction."""
    for found in _CODING.finditer(data):
        end = data.find(b"\r\n\r\n", found.start(), found.start() + MAX_HEADER_BYTES)
        if end < 0 or found[1].lower() in _PLAIN:
            continue
        head = data[max(0, data.rfind(b"\r\n\r\n", 0, found.start())) : end]
        length = _LENGTH.search(head)
        if _CHUNKED.search(head):
            pieces = list(_chunks(data, end + 4))
        else:
            pieces = [(end + 4, min(end + 4 + int(length[1]), len(data)) if length else len(data))]
        body = Body(found[1].lower(), [(start, stop) for start, stop in pieces if start < stop])
        if body.pieces:
            yield body


def _chunks(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    while at < len(data):
        size = _CHUNK.match(data, at)
        if size is None or not int(size[1], 16):
            return
        start = size.end()
        end = min(start + int(size[1], 16), len(data))
        yield start, end
        at = end + 2


def plain_of(body: bytes, coding: bytes) -> bytes | None:
    """What a body says, as far as it can be read; None when nothing can."""
    if coding in (b"gzip", b"x-gzip"):
        return _inflated(body, 31)
    if coding == b"deflate":
        return _inflated(body, 15) or _inflated(body, -15)
    if coding == b"zstd":
        try:
            reader = zstandard.ZstdDecompressor().stream_reader(body)
            return reader.read(MAX_PLAIN_BYTES) or None
        except zstandard.ZstdError:
            return None
    return None


def _inflated(body: bytes, window_bits: int) -> bytes | None:
    engine, made = zlib.decompressobj(window_bits), bytearray()
    try:
        for at in range(0, len(body), _PIECE_BYTES):
            made += engine.decompress(body[at : at + _PIECE_BYTES], MAX_PLAIN_BYTES)
            if engine.eof or len(made) > MAX_PLAIN_BYTES:
                break
    except zlib.error:  # what came before the damage has been read
        pass
    return bytes(made) or None


def rewritten(body: bytes, coding: bytes, rewrite: Callable[[bytes], bytes]) -> bytes:
    """The body with its plain text rewritten; as it was if nothing changes; zeros if it cannot be read."""
    plain = plain_of(body, coding)
    if plain is None:
        return bytes(len(body))
    image = rewrite(plain)
    if image == plain:
        return body
    if coding == b"zstd":
        return bytes(len(body))
    is_gzip, is_raw = coding != b"deflate", coding == b"deflate" and _inflated(body, 15) is None
    low, high, best = 0, len(image), b""
    while low <= high:  # as much of it as there is room for; the rest is spaces
        middle = (low + high + 1) // 2
        made = _fitted(image[:middle].ljust(len(image)), len(body), is_gzip, is_raw)
        if made is None:
            high = middle - 1
        else:
            best, low = made, middle + 1
    return best or bytes(len(body))


def _fitted(plain: bytes, size: int, is_gzip: bool, is_raw: bool) -> bytes | None:
    """Compressed to exactly so many bytes, or None when it needs more."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    blocks = engine.compress(plain) + engine.flush(zlib.Z_SYNC_FLUSH)
    head = b"\x1f\x8b\x08" + bytes(6) + b"\xff" if is_gzip else b"" if is_raw else b"\x78\x9c"
    room = size - len(head) - len(blocks) - (8 if is_gzip else 0 if is_raw else 4)
    if room < 5:
        return None
    stored = []
    while room:
        length = min(room - 5, MAX_STORED_BYTES)
        if 0 < room - 5 - length < 5:
            length -= 5
        room -= 5 + length
        stored.append(struct.pack("<BHH", not room, length, length ^ 0xFFFF) + b" " * length)
    whole = plain + b" " * sum(len(block) - 5 for block in stored)
    if is_gzip:
        tail = struct.pack("<II", zlib.crc32(whole), len(whole) & 0xFFFFFFFF)
    else:
        tail = b"" if is_raw else struct.pack(">I", zlib.adler32(whole))
    return head + blocks + b"".join(stored) + tail
