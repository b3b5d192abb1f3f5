"""DNS messages (RFC 1035) as they lie in a packet: where their labels, addresses and client subnets are.

Only finds. A message that is damaged gives what was found before the damage.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

PORTS = frozenset((53, 5353, 5355))
MAX_LABELS = 128
MAX_RECORDS = 4096
# NS CNAME PTR DNAME NSEC RP, MX AFSDB KX SVCB HTTPS, SRV, RRSIG SIG: where a name starts
_NAME_AT = (
    {2: 0, 5: 0, 12: 0, 39: 0, 47: 0, 17: 0} | {15: 2, 18: 2, 36: 2, 64: 2, 65: 2} | {33: 6, 46: 18, 24: 18}
)
_A, _AAAA, _SOA, _OPT, _CLIENT_SUBNET = 1, 28, 6, 41, 8


class WirePlace(NamedTuple):
    """kind: name (labels: their offsets), address, subnet, mac, text (a host), secret (text), digest (bytes),
    id (bytes that name a machine)."""

    kind: str
    start: int
    end: int
    labels: tuple[tuple[int, int], ...] = ()


def dns_places(data: bytes, start: int, end: int) -> Iterator[WirePlace]:
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
        yield from _record(data, start, kind, at, min(at + size, end))
        at += size


def _record(data: bytes, base: int, kind: int, at: int, end: int) -> Iterator[WirePlace]:
    if (kind, end - at) in ((_A, 4), (_AAAA, 16)):
        yield WirePlace("address", at, end)
    elif kind in _NAME_AT:
        place, _ = _name(data, base, at + _NAME_AT[kind], end)
        if place is not None:
            yield place
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
            at += 4 + size


def _name(data: bytes, base: int, at: int, end: int) -> tuple[WirePlace | None, int]:
    """The labels of a name, those behind pointers too, and where what follows it begins. base: where the message
    does."""
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
