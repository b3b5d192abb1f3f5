"""DNS messages (RFC 1035) as they lie in a packet: where their labels, addresses and client subnets are.

Only finds. A message that is damaged gives what was found before the damage.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

PORTS = frozenset((53, 5353, 5355))
PORT_NETBIOS, PORT_DATAGRAM = 137, 138
MAX_LABELS = 128
MAX_RECORDS = 4096
# NS CNAME PTR DNAME NSEC RP, MX AFSDB KX SVCB HTTPS, SRV, RRSIG SIG: where a name starts
_NAME_AT = (
    {2: 0, 5: 0, 12: 0, 39: 0, 47: 0, 17: 0} | {15: 2, 18: 2, 36: 2, 64: 2, 65: 2} | {33: 6, 46: 18, 24: 18}
)
_A, _AAAA, _SOA, _OPT, _CLIENT_SUBNET, _NB, _NBSTAT = 1, 28, 6, 41, 8, 32, 33
_CHAIN = 13  # RFC 7901
_SERVICE, _WKS, _NSEC3 = (64, 65), 11, 50


class WirePlace(NamedTuple):
    """kind: name (labels: their offsets), address, subnet, mac, text (a host), secret (text), digest (bytes),
    id (bytes that name a machine)."""

    kind: str
    start: int
    end: int
    labels: tuple[tuple[int, int], ...] = ()


def netbios_places(data: bytes, start: int, end: int) -> Iterator[WirePlace]:
    """What is in the message of NetBIOS' name service (RFC 1002) between two offsets."""
    return dns_places(data, start, end, is_netbios=True)


def datagram_places(data: bytes, start: int, end: int) -> Iterator[WirePlace]:
    """The source of NetBIOS' datagrams (RFC 1002, 4.4.1)."""
    if end - start >= 10 and data[start] in range(0x10, 0x17):
        yield WirePlace("address", start + 4, start + 8)


def dns_places(data: bytes, start: int, end: int, is_netbios: bool = False) -> Iterator[WirePlace]:
    """What is in the message between two offsets."""
    if end - start < 12:
        return
    counts = [int.from_bytes(data[start + at : start + at + 2], "big") for at in (4, 6, 8, 10)]
    at = start + 12
    for number in range(min(sum(counts), MAX_RECORDS)):
        place, at = _name(data, start, at, end)
        if place is None:
            return
        yield place
        if number < counts[0]:
            at += 4
            continue
        if at + 10 > end:
            return
        kind = int.from_bytes(data[at : at + 2], "big")
        size = int.from_bytes(data[at + 8 : at + 10], "big")
        at += 10
        stop = min(at + size, end)
        if is_netbios and kind in (_NB, _NBSTAT):
            yield from _netbios_record(data, kind, at, stop)
        else:
            yield from _record(data, start, kind, at, stop)
        at += size


def _record(data: bytes, base: int, kind: int, at: int, end: int) -> Iterator[WirePlace]:
    if (kind, end - at) in ((_A, 4), (_AAAA, 16)):
        yield WirePlace("address", at, end)
    elif kind == _WKS and end - at > 4:
        yield WirePlace("address", at, at + 4)
    elif kind == _NSEC3 and end - at > 6:
        first = at + 6 + data[at + 4]  # behind the salt; what follows is the hash of a name
        if first < end:
            yield WirePlace("digest", first, min(first + data[first - 1], end))
    elif kind in _NAME_AT:
        place, _ = _name(data, base, at + _NAME_AT[kind], end)
        if place is not None:
            yield place
        if kind in _SERVICE and place is not None:
            yield from _hints(data, place.end, end)
    elif kind == _SOA:
        for _ in range(2):
            place, at = _name(data, base, at, end)
            if place is not None:
                yield place
    elif kind == _OPT:
        while at + 4 <= end:
            code, size = (int.from_bytes(data[at + i : at + i + 2], "big") for i in (0, 2))
            if code == _CLIENT_SUBNET and size > 4 and at + 4 + size <= end:
                yield WirePlace("subnet", at + 4, at + 4 + size)
            elif code == _CHAIN:
                place, _ = _name(data, base, at + 4, min(at + 4 + size, end))
                if place is not None:
                    yield place
            at += 4 + size


def _netbios_record(data: bytes, kind: int, at: int, end: int) -> Iterator[WirePlace]:
    if kind == _NB:
        for entry in range(at + 2, end - 3, 6):
            yield WirePlace("address", entry, entry + 4)
        return
    names_end = at + 1 + data[at] * 18 if at < end else end
    for entry in range(at + 1, min(names_end, end) - 17, 18):
        size = len(data[entry : entry + 15].rstrip(b" \0"))
        if size:
            yield WirePlace("secret", entry, entry + size)
    if names_end + 6 <= end:
        yield WirePlace("mac", names_end, names_end + 6)


def _hints(data: bytes, at: int, end: int) -> Iterator[WirePlace]:
    """The addresses in the parameters of a service (RFC 9460)."""
    while at + 4 <= end:
        key, size = (int.from_bytes(data[at + i : at + i + 2], "big") for i in (0, 2))
        width = {4: 4, 6: 16}.get(key, 0)
        for entry in range(at + 4, min(at + 4 + size, end) - width + 1, width) if width else ():
            yield WirePlace("address", entry, entry + width)
        at += 4 + size


def is_message(data: bytes) -> bool:
    """Whether a datagram on any port is a DNS message: one question, and a name of printable labels."""
    if len(data) < 17 or data[2] & 0x70 or data[4:6] != b"\0\1" or any(data[at] for at in (6, 8, 10)):
        return False
    place, at = _name(data, 0, 12, len(data))
    if (
        place is None
        or not place.labels
        or at + 4 > len(data)
        or data[at + 2] & 0x7F
        or data[at + 3] not in (1, 255)
    ):
        return False
    return all(
        data[start:stop].isascii() and data[start:stop].decode().isprintable() for start, stop in place.labels
    )


def _name(data: bytes, base: int, at: int, end: int) -> tuple[WirePlace | None, int]:
    """The labels of a name, those behind pointers too, and where what follows it begins; base is where the
    message does."""
    labels: list[tuple[int, int]] = []
    start = before = at
    after = 0
    for _ in range(MAX_LABELS):
        size = data[at] if at < end else 64
        if size == 0:
            return WirePlace("name", start, at + 1, tuple(labels)), after or at + 1
        if size >= 0xC0:
            after = after or at + 2
            to = base + (int.from_bytes(data[at : at + 2], "big") & 0x3FFF)
            if to >= before:  # only what stands before can be meant
                return WirePlace("name", start, min(at + 2, end), tuple(labels)), after
            at = before = to
            continue
        if size > 63 or at + 1 + size > end:
            return (WirePlace("name", start, after, tuple(labels)), after) if after else (None, end)
        labels.append((at + 1, at + 1 + size))
        at += 1 + size
    return None, end
