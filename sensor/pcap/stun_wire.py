"""STUN messages (RFC 8489): addresses, plain and hidden by a xor with what stands beside them, and users.
Only finds.
"""

from __future__ import annotations

from collections.abc import Iterator

from sensor.pcap.dns_wire import WirePlace

COOKIE = b"\x21\x12\xa4\x42"
MAX_ATTRIBUTES = 64
_ADDRESSES = frozenset((0x0001, 0x0002, 0x0004, 0x0005, 0x000B, 0x8023, 0x802B, 0x802C))
_XORED = frozenset((0x0012, 0x0016, 0x0020, 0x8020))
_TEXTS = frozenset((0x0006, 0x0014, 0x0015))


def is_message(data: bytes) -> bool:
    """Whether a datagram is one, by its cookie."""
    return len(data) >= 20 and data[4:8] == COOKIE and not data[0] & 0xC0


def stun_places(data: bytes, start: int, end: int) -> Iterator[WirePlace]:
    """What is in the message between two offsets."""
    at = start + 20
    for _ in range(MAX_ATTRIBUTES):
        if at + 4 > end:
            return
        kind, size = (int.from_bytes(data[at + i : at + i + 2], "big") for i in (0, 2))
        first, stop = at + 4, min(at + 4 + size, end)
        width = stop - first - 4
        if kind in _ADDRESSES and width in (4, 16):
            yield WirePlace("address", first + 4, stop)
        elif kind in _XORED and width in (4, 16):
            yield WirePlace("digest", first + 2, stop)
        elif kind in _TEXTS and stop > first:
            yield WirePlace("secret", first, stop)
        at += 4 + size + -size % 4
