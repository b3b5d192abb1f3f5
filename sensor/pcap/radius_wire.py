"""RADIUS messages (RFC 2865, 2866, 2868): where their names, addresses and passwords are. Only finds."""

from __future__ import annotations

from collections.abc import Iterator

from sensor.pcap.dns_wire import WirePlace

PORTS = frozenset((1645, 1646, 1812, 1813))
MAX_ATTRIBUTES = 256
_TEXTS = frozenset(
    (1, 11, 18, 19, 20, 22, 30, 31, 32, 34, 35, 39, 44, 50, 60, 66, 67, 69, 77, 81, 82, 87, 88)
)
_TEXTS |= frozenset((89, 90, 91, 99, 100, 120, 123, 126))
_ADDRESSES = frozenset((4, 8, 9, 14))
_IPV6 = frozenset((95, 98, 168))
_KEYED = frozenset((2, 3, 79))  # password, CHAP, EAP
_VENDOR = 26


def radius_places(data: bytes, start: int, end: int) -> Iterator[WirePlace]:
    """What is in the message between two offsets."""
    at = start + 20
    for _ in range(MAX_ATTRIBUTES):
        if at + 2 > end or data[at + 1] < 2:
            return
        kind, stop = data[at], min(at + data[at + 1], end)
        if kind == _VENDOR:
            yield from _vendor(data, at + 6, stop)
        else:
            yield from _attribute(kind, at + 2, stop)
        at += data[at + 1]


def _attribute(kind: int, start: int, stop: int) -> Iterator[WirePlace]:
    if kind in _TEXTS and stop > start:
        yield WirePlace("secret", start, stop)
    elif kind in _KEYED and stop > start:
        yield WirePlace("digest", start, stop)
    elif (kind in _ADDRESSES and stop - start == 4) or (kind in _IPV6 and stop - start == 16):
        yield WirePlace("address", start, stop)


def _vendor(data: bytes, at: int, end: int) -> Iterator[WirePlace]:
    """The attributes of a vendor, of whatever kind: text is replaced as text."""
    for _ in range(MAX_ATTRIBUTES):
        if at + 2 > end or data[at + 1] < 2:
            return
        stop = min(at + data[at + 1], end)
        if stop > at + 2 and data[at + 2 : stop].isascii() and data[at + 2 : stop].decode().isprintable():
            yield WirePlace("secret", at + 2, stop)
        at += data[at + 1]
