"""DHCP and BOOTP messages (RFC 2131, 2132): where their addresses and names are. Only finds."""

from __future__ import annotations

from collections.abc import Iterator

from sensor.pcap.dns_wire import WirePlace

PORTS = frozenset((67, 68, 4011))
MAX_OPTIONS = 256
_ADDRESSES = frozenset(
    (3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 21, 32, 33, 41, 42, 44, 45, 48, 49, 50, 54, 65, 118, 150)
)
_ADDRESSES |= frozenset(range(68, 77))
_NAMES = frozenset((12, 14, 15, 17, 40, 64, 66, 67, 86, 87))
_COOKIE = b"\x63\x82\x53\x63"


def dhcp_places(data: bytes, start: int, end: int) -> Iterator[WirePlace]:
    """What is in the message between two offsets."""
    if end - start < 34:
        return
    for at in range(start + 12, start + 28, 4):
        yield WirePlace("address", at, at + 4)
    if data[start + 2] == 6:
        yield WirePlace("mac", start + 28, start + 34)
    for at, size in ((44, 64), (108, 128)):  # the server's name, the boot file
        text = data[start + at : min(start + at + size, end)].split(b"\0")[0]
        if text:
            yield WirePlace("text", start + at, start + at + len(text))
    if data[start + 236 : start + 240] != _COOKIE:
        return
    at = start + 240
    for _ in range(MAX_OPTIONS):
        if at + 2 > end or data[at] == 255:
            return
        if data[at] == 0:
            at += 1
            continue
        kind, size = data[at], data[at + 1]
        first, stop = at + 2, min(at + 2 + size, end)
        if kind in _ADDRESSES:
            for place in range(first, stop - 3, 4):
                yield WirePlace("address", place, place + 4)
        elif kind in _NAMES and stop > first:
            yield WirePlace("text", first, stop)
        elif kind == 81 and stop - first > 3:  # the full name, plain or in labels
            yield WirePlace("text", first + 3, stop)
        elif kind == 61 and stop > first:
            is_mac = stop - first == 7 and data[first] == 1
            yield (
                WirePlace("mac" if is_mac else "text", first + 1, stop)
                if is_mac
                else WirePlace("id", first, stop)
            )
        at = first + size
