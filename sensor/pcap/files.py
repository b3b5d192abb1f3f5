"""Capture files packet by packet: pcap (all its byte orders and resolutions) and pcapng, from disk or a pipe.

A damaged file gives what can be read and says in `problems` where and why it ended. Where each packet's bytes
lie in the file is told, so that they can be changed in place. Packets are not looked into.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

from sensor.errors import UserError, from_os_error

MAX_PACKET_BYTES = 16 << 20  # snapshot lengths are 256 KiB; USB captures have more
MAX_BLOCK_BYTES = MAX_PACKET_BYTES + (1 << 20)
MAX_INTERFACES = 65_536
MAX_PROBLEMS = 20
NANOSECONDS = 1_000_000_000

_PCAP_MAGICS = {
    b"\xa1\xb2\xc3\xd4": (">", 1000, 16),
    b"\xd4\xc3\xb2\xa1": ("<", 1000, 16),
    b"\xa1\xb2\x3c\x4d": (">", 1, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1, 16),
    b"\xa1\xb2\xcd\x34": (">", 1000, 24),  # Kuznetzov's: interface and protocol behind the four numbers
    b"\x34\xcd\xb2\xa1": ("<", 1000, 24),
}
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_COMMENT, _IF_TSRESOL, _IF_TSOFFSET = 1, 9, 14


@dataclass(slots=True)
class Packet:
    """One captured frame. number counts from 1 as pcap_cnt does; offset is where data lies in the file."""

    number: int
    link: int
    time_ns: int
    data: bytes
    original_bytes: int
    offset: int
    comment: str = ""


@dataclass(slots=True)
class Block:
    """One pcapng block: where its body lies, and the section's byte order."""

    kind: int
    order: str
    offset: int
    body: bytes


@dataclass(slots=True)
class _Interface:
    link: int
    snaplen: int
    units_per_second: int = 1_000_000
    offset_seconds: int = 0


@dataclass
class CaptureFile:
    """Iterate for its packets; kind, problems, snaplens, interfaces are complete when the iteration is."""

    path: str
    kind: str = ""
    problems: list[str] = field(default_factory=list)
    snaplens: set[int] = field(default_factory=set)
    has_nanoseconds: bool = False
    interfaces: int = 0
    comments: int = 0
    secrets: int = 0  # blocks with keys of TLS sessions
    end: int = 0  # where the last whole record ends

    def __post_init__(self) -> None:
        self._file: IO[bytes] = _open(self.path)
        self._at = 0
        self._number = 0

    def __enter__(self) -> CaptureFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.path != "-":
            self._file.close()

    def __iter__(self) -> Iterator[Packet]:
        try:
            magic = self._file.read(4)
            self._at = len(magic)
            if magic in _PCAP_MAGICS:
                yield from self._pcap(*_PCAP_MAGICS[magic])
            elif magic == b"\x0a\x0d\x0d\x0a":
                yield from self._pcapng()
            else:
                raise UserError(
                    "not a capture: neither pcap nor pcapng" if magic else "empty, 0 bytes",
                    where=self.path,
                    fix="give a file written by tcpdump or such",
                )
        except OSError as error:
            raise from_os_error(error, where=self.path) from error

    def skip_magic(self) -> None:
        """Before `blocks` of a file that is known to be pcapng."""
        self._take(4)

    def blocks(self) -> Iterator[Block]:
        """The blocks of a pcapng file whose first four bytes were read."""
        order = "<"
        first = True
        while True:
            start = self._at - 4 if first else self._at
            head = b"\x0a\x0d\x0d\x0a" if first else self._take(4)
            first = False
            if not head:
                return
            rest = self._take(8 if head == b"\x0a\x0d\x0d\x0a" else 4)
            if len(head) + len(rest) < 8:
                return self._problem("the file ends in the middle of a block")
            if head == b"\x0a\x0d\x0d\x0a":
                if rest[4:8] not in (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"):
                    return self._problem("a section header is damaged")
                order = ">" if rest[4:8] == b"\x1a\x2b\x3c\x4d" else "<"
            (kind,) = struct.unpack(order + "I", head)
            (length,) = struct.unpack(order + "I", rest[:4])
            if length < 12 or length % 4 or length > MAX_BLOCK_BYTES:
                return self._problem(f"a block says it has {length} bytes")
            body = rest[4:] + self._take(length - 8 - len(rest[4:]))
            if len(body) < length - 8:
                return self._problem("the file ends in the middle of a block")
            self.end = start + length
            yield Block(kind, order, start + 8, body[:-4])

    def _pcap(self, order: str, unit_ns: int, header_bytes: int) -> Iterator[Packet]:
        self.kind, self.has_nanoseconds, self.interfaces = "pcap", unit_ns == 1, 1
        head = self._take(20)
        self.end = self._at
        if len(head) < 20:
            return self._problem("the file header is cut")
        snaplen, link = struct.unpack(order + "II", head[12:])
        self.snaplens.add(snaplen)
        while record := self._take(header_bytes):
            if len(record) < header_bytes:
                return self._problem("the file ends in the middle of a packet header")
            seconds, fraction, length, original = struct.unpack_from(order + "IIII", record)
            if length > MAX_PACKET_BYTES:
                return self._problem(f"packet {self._number + 1} says it has {length} bytes")
            offset = self._at
            data = self._take(length)
            if len(data) < length:
                return self._problem("the file ends in the middle of a packet")
            self._number += 1
            self.end = self._at
            yield Packet(
                self._number,
                link & 0xFFFF,
                seconds * NANOSECONDS + fraction * unit_ns,
                data,
                original,
                offset,
            )

    def _pcapng(self) -> Iterator[Packet]:
        self.kind = "pcapng"
        interfaces: list[_Interface] = []
        for block in self.blocks():
            if block.kind == _SECTION:
                interfaces = []
            elif block.kind == _INTERFACE and len(block.body) >= 8 and len(interfaces) < MAX_INTERFACES:
                interfaces.append(_interface(block))
                self.interfaces += 1
                self.snaplens.add(interfaces[-1].snaplen)
                self.has_nanoseconds |= interfaces[-1].units_per_second > 1_000_000
            elif block.kind == 10:
                self.secrets += 1
            elif block.kind in (_PACKET, _OLD_PACKET, _SIMPLE_PACKET):
                packet = self._packet(block, interfaces)
                if packet is None:
                    self._problem(f"packet {self._number + 1} is damaged")
                    continue
                yield packet

    def _packet(self, block: Block, interfaces: list[_Interface]) -> Packet | None:
        body, order = block.body, block.order
        if block.kind == _SIMPLE_PACKET:
            if len(body) < 4 or not interfaces:
                return None
            (original,) = struct.unpack_from(order + "I", body)
            snaplen = interfaces[0].snaplen or original
            length, number, ticks, start = min(original, snaplen, len(body) - 4), 0, 0, 4
        else:
            if len(body) < 20:
                return None
            form = "I" if block.kind == _PACKET else "HH"
            number, *_, high, low, length, original = struct.unpack_from(order + form + "IIII", body)
            ticks, start = high << 32 | low, 20
        if number >= len(interfaces) or start + length > len(body):
            return None
        interface = interfaces[number]
        time_ns = ticks * NANOSECONDS // interface.units_per_second + interface.offset_seconds * NANOSECONDS
        comment = ""
        for code, at, size in options(body, start + (length + 3) // 4 * 4, order):
            if code == _COMMENT:
                comment = body[at : at + size].decode(errors="replace")
                self.comments += 1
        self._number += 1
        data = body[start : start + length]
        return Packet(self._number, interface.link, time_ns, data, original, block.offset + start, comment)

    def _take(self, count: int) -> bytes:
        data = self._file.read(count)
        self._at += len(data)
        return data

    def _problem(self, text: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)


def packets_of(path: str) -> Iterator[Packet]:
    """The packets of a file, for who does not ask what was wrong with it."""
    with CaptureFile(path) as capture:
        yield from capture


def options(body: bytes, at: int, order: str) -> Iterator[tuple[int, int, int]]:
    """(code, offset, length) of the options from here on; ends at the first that does not fit."""
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        if code == 0 or at + 4 + size > len(body):
            return
        yield code, at + 4, size
        at += 4 + (size + 3) // 4 * 4


def _interface(block: Block) -> _Interface:
    link, _, snaplen = struct.unpack_from(block.order + "HHI", block.body)
    interface = _Interface(link, snaplen)
    for code, at, size in options(block.body, 8, block.order):
        if code == _IF_TSRESOL and size >= 1:
            value = block.body[at]
            power = min(value & 0x7F, 63 if value & 0x80 else 18)
            interface.units_per_second = 2**power if value & 0x80 else 10**power
        elif code == _IF_TSOFFSET and size == 8:
            (interface.offset_seconds,) = struct.unpack_from(block.order + "q", block.body, at)
    return interface


def _open(path: str) -> IO[bytes]:
    if path == "-":
        return sys.stdin.buffer
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise from_os_error(error, where=path) from error
    except ValueError as error:  # a name with a NUL byte
        raise UserError(str(error), where=path, fix="check the name") from None
