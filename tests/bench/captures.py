"""Records of capture files by their headers alone: read from pcap and pcapng, written as classic pcap.

Reading ends quietly at the first damage, as both sensors' does. What the frames hold is not looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

ETHERNET = 1
RECORD_BYTES_MAX = 16 << 20  # what says it is longer is damage
SNAP_BYTES = 262_144
_NS = 10**9
_CLASSIC = {  # magic -> byte order, nanoseconds per unit of the fraction
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_SECTION = b"\x0a\x0d\x0d\x0a"
_INTERFACE, _PACKET, _SIMPLE, _ENHANCED = 1, 2, 3, 6
_OPTION_RESOLUTION, _OPTION_OFFSET = 9, 14


class Record(NamedTuple):
    """One frame as it lies in a capture."""

    link_type: int
    time_ns: int  # since 1970
    wire_bytes: int  # how long it was; `data` may be shorter
    data: bytes


def records(path: Path) -> Iterator[Record]:
    """The records of a capture, in its order; none when it is no capture."""
    with path.open("rb") as file:
        magic = file.read(4)
        if magic in _CLASSIC:
            yield from _classic(file, *_CLASSIC[magic])
        elif magic == _SECTION:
            yield from _next_generation(magic + file.read())


def _classic(file: IO[bytes], order: str, fraction_ns: int) -> Iterator[Record]:
    rest = file.read(20)
    if len(rest) < 20:
        return
    link_type = struct.unpack_from(f"{order}I", rest, 16)[0] & 0xFFFF
    head = struct.Struct(f"{order}IIII")
    while len(fields := file.read(head.size)) == head.size:
        seconds, fraction, size, wire = head.unpack(fields)
        if size > RECORD_BYTES_MAX or len(data := file.read(size)) < size:
            return
        yield Record(link_type, seconds * _NS + fraction * fraction_ns, wire, data)


def _next_generation(data: bytes) -> Iterator[Record]:
    order, at = "<", 0
    interfaces: list[
        tuple[int, int, int, int]
    ] = []  # link type, units a second, offset in seconds, snap length
    last_ns = 0
    while at + 12 <= len(data):
        if data[at : at + 4] == _SECTION:
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if size < 12 or size % 4 or at + size > len(data):
            return
        body = data[at + 8 : at + size - 4]
        at += size
        try:
            if kind == _INTERFACE:
                interfaces.append(_interface(order, body))
            elif kind in (_ENHANCED, _PACKET):
                which, high, low, kept, wire = struct.unpack_from(f"{order}5I", body)
                if kind == _PACKET:
                    (which,) = struct.unpack_from(f"{order}H", body)
                link_type, units, offset, _ = interfaces[which]
                last_ns = offset * _NS + ((high << 32) | low) * _NS // units
                if kept > len(body) - 20:
                    return
                yield Record(link_type, last_ns, wire, body[20 : 20 + kept])
            elif kind == _SIMPLE:
                (wire,) = struct.unpack_from(f"{order}I", body)
                link_type, _, _, snap = interfaces[0]
                kept = min(wire, snap or wire, len(body) - 4)
                yield Record(link_type, last_ns, wire, body[4 : 4 + kept])
        except (struct.error, IndexError):
            return


def _interface(order: str, body: bytes) -> tuple[int, int, int, int]:
    link_type, _, snap = struct.unpack_from(f"{order}HHI", body)
    units, offset, at = 10**6, 0, 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(f"{order}HH", body, at)
        value = body[at + 4 : at + 4 + size]
        if code == _OPTION_RESOLUTION and size >= 1:
            power = value[0] & 0x7F
            units = 2**power if value[0] & 0x80 else 10**power
        elif code == _OPTION_OFFSET and size >= 8:
            (offset,) = struct.unpack(f"{order}q", value)
        at += 4 + (size + 3) // 4 * 4
    return link_type, units, offset, snap


def write(path: Path, frames: Iterable[Record]) -> int:
    """Writes Ethernet frames as classic pcap with microseconds; returns how many."""
    head, count = struct.Struct("<IIII"), 0
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAP_BYTES, ETHERNET))
        for _, time_ns, wire_bytes, data in frames:
            seconds, rest = divmod(time_ns, _NS)
            file.write(head.pack(seconds & 0xFFFFFFFF, rest // 1000, len(data), wire_bytes) + data)
            count += 1
    return count


def write_one_frame(path: Path, time_ns: int = 1_750_000_000 * _NS) -> None:
    """The capture that costs nothing but to start and to end: one frame of a type kept for local experiments
    (IEEE 802, 0x88B5), which no stage looks into. Suricata 7 refuses a capture without any frame."""
    frame = bytes(6) + b"\x02" + bytes(5) + b"\x88\xb5" + bytes(46)
    write(path, [Record(ETHERNET, time_ns, len(frame), frame)])
