"""Capture files written packet by packet: pcap for one link type, pcapng for several, for comments and when
the name says so. Written beside the place and moved there when whole.
"""

from __future__ import annotations

import struct
from pathlib import Path
from types import TracebackType

from sensor.errors import UserError, from_os_error
from sensor.pcap.files import NANOSECONDS, Packet

SNAPLEN = 262_144
MAX_COMMENT_BYTES = 60_000  # an option's length has 16 bits


class CaptureWriter:
    """Writes packets in the order they come; use as a context manager, an exception leaves no file."""

    def __init__(self, path: Path, *, pcapng: bool | None = None, nanoseconds: bool = True) -> None:
        self.path = path
        self.packets = 0
        self._pcapng = path.suffix.lower() in {".pcapng", ".ntar"} if pcapng is None else pcapng
        self._nanoseconds = nanoseconds
        self._links: dict[int, int] = {}
        self._part = path.with_name(f".{path.name}.part")
        try:
            self._file = self._part.open("wb")
        except OSError as error:
            raise from_os_error(error, where=path) from error

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self._links:
                self._start(1)  # a capture without packets is one too
            self._file.close()
            if kind is None:
                self._part.replace(self.path)
        except OSError as error:
            raise from_os_error(error, where=self.path) from error
        finally:
            self._part.unlink(missing_ok=True)

    def write(self, packet: Packet, comment: str = "") -> None:
        """Append one packet."""
        try:
            if packet.link not in self._links:
                self._start(packet.link)
            if self._pcapng:
                self._write_block(packet, comment)
            else:
                seconds, nanoseconds = divmod(packet.time_ns, NANOSECONDS)
                fraction = nanoseconds if self._nanoseconds else nanoseconds // 1000
                sizes = len(packet.data), max(packet.original_bytes, len(packet.data)) & 0xFFFFFFFF
                head = struct.pack("<IIII", seconds & 0xFFFFFFFF, fraction, *sizes)
                self._file.write(head + packet.data)
            self.packets += 1
        except OSError as error:
            raise from_os_error(error, where=self.path) from error

    def _start(self, link: int) -> None:
        """What a link type needs before its first packet."""
        if self._links and not self._pcapng:
            raise UserError(
                f"packets of several link types ({next(iter(self._links))} and {link}) do not fit one pcap",
                where=self.path,
                fix="name the output .pcapng",
            )
        if not self._pcapng:
            magic = 0xA1B23C4D if self._nanoseconds else 0xA1B2C3D4
            self._file.write(struct.pack("<IHHiIII", magic, 2, 4, 0, 0, SNAPLEN, link))
        else:
            if not self._links:
                self._block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
            resolution = _option(9, b"\x09") + struct.pack("<I", 0)  # nanoseconds
            self._block(1, struct.pack("<HHI", link, 0, SNAPLEN) + resolution)
        self._links[link] = len(self._links)

    def _write_block(self, packet: Packet, comment: str) -> None:
        ticks = max(packet.time_ns, 0) & (1 << 64) - 1
        sizes = len(packet.data), max(packet.original_bytes, len(packet.data)) & 0xFFFFFFFF
        head = struct.pack("<IIIII", self._links[packet.link], ticks >> 32, ticks & 0xFFFFFFFF, *sizes)
        text = (comment or packet.comment).encode(errors="replace")[:MAX_COMMENT_BYTES]
        told = _option(1, text) + struct.pack("<I", 0) if text else b""
        self._block(6, head + _padded(packet.data) + told)

    def _block(self, kind: int, body: bytes) -> None:
        length = struct.pack("<I", len(body) + 12)
        self._file.write(struct.pack("<I", kind) + length + body + length)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
