"""Ethernet frames and TCP connections for the generators, of any size and the same on every run."""

from __future__ import annotations

import struct
from collections.abc import Callable

Packet = tuple[float, bytes]
# name -> (generator, n of the smallest input)
Registry = dict[str, tuple[Callable[[int], list[Packet]], int]]
CLIENT, SERVER = bytes((10, 20, 0, 15)), bytes((10, 20, 0, 80))
STEP_SECONDS = 0.0001
MSS = 1400


def ip(src: bytes, dst: bytes, protocol: int, payload: bytes, ident: int = 0, fragment: int = 0) -> bytes:
    """An Ethernet frame with IPv4; `fragment` is the field of flags and offset (RFC 791)."""
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident & 0xFFFF, fragment, 64, protocol, 0, src, dst
    )
    return bytes(12) + b"\x08\x00" + head + payload


def udp(sport: int, dport: int, payload: bytes, src: bytes = CLIENT, dst: bytes = SERVER) -> bytes:
    return ip(src, dst, 17, struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload)


class Talk:
    """One TCP connection to `port`, its handshake done."""

    def __init__(self, port: int, sport: int = 40_000) -> None:
        self.ports = (sport, port)
        self.next = [1_000, 2_000]
        self.unacknowledged = [0, 0]
        self.frames: list[bytes] = []
        self.segment(0, b"", 0x02)
        self.segment(1, b"", 0x12)
        self.next = [1_001, 2_001]
        self.segment(0, b"", 0x10)

    def segment(self, side: int, payload: bytes, flags: int = 0x18, seq: int | None = None) -> None:
        """One segment; with `seq` it goes there and the connection's own place stays."""
        at = self.next[side] if seq is None else seq
        ack = 0 if flags == 0x02 else self.next[1 - side] + (flags == 0x12)
        head = struct.pack(
            ">HHIIBBHHH", self.ports[side], self.ports[1 - side], at, ack, 0x50, flags, 65_535, 0, 0
        )
        ends = (CLIENT, SERVER) if side == 0 else (SERVER, CLIENT)
        self.frames.append(ip(*ends, 6, head + payload))
        if seq is None:
            self.next[side] += len(payload)

    def client(self, data: bytes, size: int = MSS) -> None:
        self._send(0, data, size)

    def server(self, data: bytes, size: int = MSS) -> None:
        self._send(1, data, size)

    def _send(self, side: int, data: bytes, size: int) -> None:
        """Data in segments of `size`; every other one is acknowledged, as it is by real hosts."""
        for at in range(0, len(data), size):
            self.segment(side, data[at : at + size])
            self.unacknowledged[side] += 1
            if self.unacknowledged[side] >= 2:
                self.segment(1 - side, b"", 0x10)
                self.unacknowledged[side] = 0

    def packets(self) -> list[Packet]:
        return timed(self.frames)


def timed(frames: list[bytes]) -> list[Packet]:
    return [(i * STEP_SECONDS, frame) for i, frame in enumerate(frames)]
