"""What a walk through a packet finds: offsets into the captured bytes, never copies of headers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Flow(NamedTuple):
    """One direction of a conversation; ports are 0 where there are none."""

    protocol: int
    source: bytes
    source_port: int
    destination: bytes
    destination_port: int


class Sum(NamedTuple):
    """A checksum: its field, the bytes it covers, the addresses of its pseudo header, and its kind."""

    field: int
    start: int
    end: int
    pseudo: tuple[tuple[int, int], ...] = ()
    is_crc32c: bool = False


class Payload(NamedTuple):
    """Bytes above the last header that is understood. kind: tcp, udp, fragment, other, opaque (what no rule
    looks into and may be full of addresses).

    position: sequence number, or offset of a fragment in its datagram; identity: of a datagram in pieces.
    """

    kind: str
    start: int
    end: int
    flow: Flow | None = None
    position: int = 0
    identity: int = 0
    starts_stream: bool = False  # a TCP segment with SYN: its data begin one later


@dataclass(slots=True)
class Layers:
    """Everything found in one packet, outermost first."""

    macs: list[int] = field(default_factory=list)
    addresses: list[tuple[int, int]] = field(default_factory=list)  # offset, length
    sums: list[Sum] = field(default_factory=list)
    payloads: list[Payload] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    quoted: list[Flow] = field(default_factory=list)  # in ICMP errors
    names: list[str] = field(default_factory=list)  # of the headers, for people
