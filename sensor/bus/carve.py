"""Records found in a damaged SQLite file page by page, without the tree that leads to them: the last resort
of `sensor.bus.repair`, for a torn inner page hides every leaf below it.

After the SQLite file format (sqlite.org/fileformat2.html, 1.6 "B-tree Pages" and 2.1 "Record Format"). What
is read here may be anything; a record counts only when it has the shape of ours and its checksum holds.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from sensor.bus.seal import MAGIC, MAX_RECORD_BYTES

_LEAF = 0x0D
_COLUMNS = 11  # of `record`, in the order of sensor.bus.records.RECORDS
_SENSOR, _SEQ, _CRC32, _SEALED = 1, 4, 9, 10
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_MAX_PAYLOAD_BYTES = MAX_RECORD_BYTES + 4096

Row = tuple[Any, ...]


def carve(content: Any, page_size: int) -> Iterator[Row]:
    """Rows of `record` on any leaf page of the file; also of pages that are not in use any more."""
    for page in range(len(content) // page_size):
        base = page * page_size
        start = base + (100 if page == 0 else 0)
        if content[start] != _LEAF:
            continue
        for index in range(int.from_bytes(content[start + 3 : start + 5], "big")):
            at = start + 8 + 2 * index
            if at + 2 > base + page_size:
                break
            offset = int.from_bytes(content[at : at + 2], "big")
            try:
                row = _cell(content, base, offset, page_size)
            except (IndexError, ValueError, UnicodeDecodeError):
                continue
            if row is not None:
                yield row


def _cell(content: Any, base: int, offset: int, page_size: int) -> Row | None:
    size, at = _varint(content, base + offset)
    number, at = _varint(content, at)
    if not MAX_RECORD_BYTES * 2 > size > 0 or size > _MAX_PAYLOAD_BYTES:
        return None
    local = _local_bytes(size, page_size)
    payload = bytes(content[at : at + local])
    following = int.from_bytes(content[at + local : at + local + 4], "big") if local < size else 0
    while following and len(payload) < size:
        start = (following - 1) * page_size
        if start + page_size > len(content):
            return None
        following = int.from_bytes(content[start : start + 4], "big")
        payload += bytes(content[start + 4 : start + min(page_size, 4 + size - len(payload))])
    return _row(number, payload) if len(payload) == size else None


def _local_bytes(size: int, page_size: int) -> int:
    """How much of a payload stands on the leaf itself."""
    most = page_size - 35
    if size <= most:
        return size
    least = (page_size - 12) * 32 // 255 - 23
    fitting = least + (size - least) % (page_size - 4)
    return fitting if fitting <= most else least


def _row(number: int, payload: bytes) -> Row | None:
    header_size, at = _varint(payload, 0)
    kinds: list[int] = []
    while at < header_size and len(kinds) <= _COLUMNS:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if len(kinds) != _COLUMNS or at != header_size:
        return None
    values: list[Any] = []
    for kind in kinds:
        if kind in (0, 8, 9):
            values.append(None if kind == 0 else kind - 8)
        elif kind in _INTEGERS:
            values.append(int.from_bytes(payload[at : at + _INTEGERS[kind]], "big", signed=True))
            at += _INTEGERS[kind]
        elif kind >= 12:
            size = (kind - 12) // 2
            part = payload[at : at + size]
            values.append(part.decode() if kind % 2 else part)
            at += size
        else:
            return None
    sealed = values[_SEALED]
    is_ours = isinstance(sealed, bytes) and sealed.startswith(MAGIC) and isinstance(values[_SENSOR], str)
    if not is_ours or zlib.crc32(sealed) != values[_CRC32] or not isinstance(values[_SEQ], int):
        return None
    return (number, *values[1:])


def _varint(content: Any, at: int) -> tuple[int, int]:
    """(value, position after it) of a big-endian base-128 number of one to nine bytes."""
    value = 0
    for index in range(9):
        byte = content[at + index]
        if index == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("no number")
