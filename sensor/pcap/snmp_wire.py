"""SNMP messages (RFC 1901, 3412, 3414): the community, and the user of version 3. Only finds."""

from __future__ import annotations

from collections.abc import Iterator

from sensor.pcap.dns_wire import WirePlace

PORTS = frozenset((161, 162, 10161, 10162))
_SEQUENCE, _INTEGER, _OCTETS, _ADDRESS = 0x30, 0x02, 0x04, 0x40
MAX_TAGS = 4096


def snmp_places(data: bytes, start: int, end: int) -> Iterator[WirePlace]:
    """What is in the message between two offsets."""
    kind, at, stop = _tag(data, start, end)
    if kind != _SEQUENCE:
        return
    kind, first, version_end = _tag(data, at, stop)
    if kind != _INTEGER:
        return
    version = int.from_bytes(data[first:version_end], "big")
    kind, first, after = _tag(data, version_end, stop)
    if version < 3:
        if kind == _OCTETS and after > first:
            yield WirePlace("secret", first, after)
        yield from _addresses(data, after, stop)
        return
    kind, first, after = _tag(data, after, stop)  # behind the header: security parameters in an octet string
    if kind != _OCTETS:
        return
    kind, at, inner = _tag(data, first, after)
    if kind != _SEQUENCE:
        return
    for number in range(6):  # engine, boots, time, user, authentication, privacy
        kind, first, at = _tag(data, at, inner)
        if number == 3 and kind == _OCTETS and at > first:
            yield WirePlace("secret", first, at)
        elif number == 0 and at - first > 9 and data[first + 4 : first + 5] in (b"\x01", b"\x03"):
            size = 4 if data[first + 4] == 1 else 6
            yield WirePlace("address" if size == 4 else "mac", first + 5, min(first + 5 + size, at))


def _addresses(data: bytes, at: int, end: int) -> Iterator[WirePlace]:
    """Values of the type IpAddress, wherever they are."""
    for _ in range(MAX_TAGS):
        if at >= end:
            return
        kind, first, after = _tag(data, at, end)
        if kind == _ADDRESS and after - first == 4:
            yield WirePlace("address", first, after)
        elif kind == _OCTETS and after - first == 6 and not data[first:after].isascii():
            yield WirePlace("mac", first, after)
        at = first if kind & 0x20 and first > at else max(after, at + 1)


def _tag(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """BER: the tag, where its content begins and ends."""
    if at + 2 > end:
        return 0, end, end
    size, first = data[at + 1], at + 2
    if size & 0x80:
        first += size & 0x7F
        size = int.from_bytes(data[at + 2 : first], "big") if size & 0x7F <= 4 else end
    return data[at], min(first, end), min(first + size, end)
