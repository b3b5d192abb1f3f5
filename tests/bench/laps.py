"""An endless capture: one capture again and again, each time later and between other hosts.

Repeated as it is, a capture would bring its old times and its old addresses: time would stand still for the
engine, nothing would time out, and a table that forgets no host would not grow. So in each lap the times go
on and two bytes of every address are changed, alike in all packets. Prefixes stay, and with them who is
inside; multicast, broadcast and the address nobody has stay too. Checksums are wrong after that.

Packets are changed a megabyte at a time, by arithmetic on one large number: a sum for the times, an exclusive
or for the addresses.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import captures
from captures import ETHERNET, Record

CHUNK_BYTES = 1 << 20
PAUSE_SECONDS = 1  # between laps: flows of several laps are alive at a time, as in a network
VARIANTS = 1 << 16  # of addresses
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, captures.SNAP_BYTES, ETHERNET)
_IPV4, _IPV6, _VLANS = 0x0800, 0x86DD, (0x8100, 0x88A8)
_NOBODY = bytes(4)


def _address_bytes(frame: bytes) -> Iterator[int]:
    """Where in the frame lie the last two bytes of each address that a lap changes."""
    at = 12
    while (kind := int.from_bytes(frame[at : at + 2], "big")) in _VLANS:
        at += 4
    if kind == _IPV4 and len(frame) >= at + 22:
        for begin in (at + 14, at + 18):
            address = frame[begin : begin + 4]
            if address[0] < 224 and address != _NOBODY:
                yield begin + 2
    elif kind == _IPV6 and len(frame) >= at + 42:
        for begin in (at + 10, at + 26):
            if frame[begin] != 0xFF and any(frame[begin : begin + 16]):
                yield begin + 14


class Laps:
    """The laps of a capture; `packets` and `seconds` are those of one."""

    def __init__(self, path: Path) -> None:
        self.packets, self.seconds = 0, 0
        self._chunks: list[tuple[int, int, int, int]] = []  # bytes, then three numbers of as many bytes
        first_ns = last_ns = None
        self._begin()
        for record in captures.records(path):
            first_ns = record.time_ns if first_ns is None else first_ns
            last_ns = max(record.time_ns, last_ns or 0)
            self._add(record)
        self._end()
        if first_ns is not None and last_ns is not None:
            self.seconds = (last_ns - first_ns) // 10**9 + 1

    def _begin(self) -> None:
        self._data, self._times, self._addresses = bytearray(), bytearray(), bytearray()

    def _add(self, record: Record) -> None:
        _, time_ns, wire, frame = record
        seconds, rest = divmod(time_ns, 10**9)
        at = len(self._data)
        self._data += struct.pack("<IIII", seconds, rest // 1000, len(frame), wire) + frame
        self._times += bytes(16 + len(frame))
        self._addresses += bytes(16 + len(frame))
        self._times[at] = 1
        for begin in _address_bytes(frame):
            self._addresses[at + 16 + begin] = 1
        self.packets += 1
        if len(self._data) >= CHUNK_BYTES:
            self._end()
            self._begin()

    def _end(self) -> None:
        numbers = (int.from_bytes(part, "little") for part in (self._data, self._times, self._addresses))
        self._chunks.append((len(self._data), *numbers))

    def lap(self, number: int) -> Iterator[bytes]:
        """The records of one lap, in pieces; lap 0 is the capture itself."""
        later, variant = number * (self.seconds + PAUSE_SECONDS), number % VARIANTS
        for size, data, times, addresses in self._chunks:
            yield ((data + times * later) ^ (addresses * variant)).to_bytes(size, "little")
