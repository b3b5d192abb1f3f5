"""DHCP and BOOTP messages (RFC 2131, 2132) and DHCPv6 (RFC 8415): their addresses and names. Only finds."""

from __future__ import annotations

from collections.abc import Iterator

from sensor.pcap.dns_wire import WirePlace

PORTS = frozenset((67, 68, 4011))
MAX_OPTIONS = 256
_ADDRESSES = frozenset(
    (3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 21, 28, 32, 33, 41, 42, 44, 45, 48, 49, 50, 54, 65, 92, 118, 150)
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


PORTS_V6 = frozenset((546, 547))
_RELAY = (12, 13)
_NESTED_V6 = {3: 12, 4: 4, 25: 12, 5: 24, 26: 25, 9: 0}  # option: where options inside it begin
_ADDRESSES_V6 = {5: 0, 12: 0, 22: 0, 23: 0, 26: 9, 27: 0, 31: 0, 40: 0}  # option: where addresses begin
_NAMES_V6 = {21: 0, 24: 0, 33: 0, 39: 1, 51: 0, 57: 0, 58: 0, 64: 0, 65: 0}
_TEXTS_V6 = {15: 0, 16: 4, 17: 4, 18: 0, 37: 4, 38: 0, 41: 0, 42: 0, 59: 0}
MAX_DEPTH_V6 = 8


def dhcpv6_places(data: bytes, start: int, end: int) -> Iterator[WirePlace]:
    """What is in the DHCPv6 message (RFC 8415) between two offsets."""
    if end - start < 4:
        return
    at = start + 4
    if data[start] in _RELAY:
        for place in (start + 2, start + 18):
            if place + 16 <= end:
                yield WirePlace("address", place, place + 16)
        at = start + 34
    yield from _options_v6(data, at, end, 0)


def _options_v6(data: bytes, at: int, end: int, depth: int) -> Iterator[WirePlace]:
    for _ in range(MAX_OPTIONS):
        if at + 4 > end or depth > MAX_DEPTH_V6:
            return
        kind, size = (int.from_bytes(data[at + i : at + i + 2], "big") for i in (0, 2))
        first, stop = at + 4, min(at + 4 + size, end)
        if kind in _ADDRESSES_V6:
            last = first + _ADDRESSES_V6[kind] + 16 if kind in (5, 26) else stop
            for place in range(first + _ADDRESSES_V6[kind], min(last, stop) - 15, 16):
                yield WirePlace("address", place, place + 16)
        elif kind in _NAMES_V6:
            yield from _labels_v6(data, first + _NAMES_V6[kind], stop)
        elif kind in _TEXTS_V6 and stop > first + _TEXTS_V6[kind]:
            yield WirePlace("text", first + _TEXTS_V6[kind], stop)
        elif kind in (1, 2) and stop - first > 4:
            yield from _unique_id(data, first, stop)
        if kind == 9:
            yield from dhcpv6_places(data, first, stop) if depth < MAX_DEPTH_V6 else ()
        elif kind in _NESTED_V6:
            yield from _options_v6(data, first + _NESTED_V6[kind], stop, depth + 1)
        at = stop


def _unique_id(data: bytes, start: int, end: int) -> Iterator[WirePlace]:
    """A DUID: of a link layer's address, with or without a time, or of bytes of a vendor's."""
    kind = int.from_bytes(data[start : start + 2], "big")
    place = {1: start + 8, 3: start + 4}.get(kind)
    if place is not None and end - place == 6:
        yield WirePlace("mac", place, end)
    elif end > start + 4:
        yield WirePlace("id", start + 3, end)


def _labels_v6(data: bytes, at: int, end: int) -> Iterator[WirePlace]:
    """Names in labels, one after the other."""
    labels: list[tuple[int, int]] = []
    start = at
    while at < end:
        size = data[at]
        if size == 0 or size > 63 or at + 1 + size > end:
            if labels:
                yield WirePlace("name", start, at, tuple(labels))
            labels, start = [], at + 1
            at += 1
            continue
        labels.append((at + 1, at + 1 + size))
        at += 1 + size
    if labels:
        yield WirePlace("name", start, end, tuple(labels))
