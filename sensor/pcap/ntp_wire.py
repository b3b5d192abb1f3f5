"""NTP messages (RFC 5905): a reference that is the address of a server. Only finds."""

from __future__ import annotations

from collections.abc import Iterator

from sensor.pcap.dns_wire import WirePlace

PORTS = frozenset((123,))
_PRIVATE = 7
_CLOCK_STRATUM = 1  # up to here the reference names a kind of clock


def ntp_places(data: bytes, start: int, end: int) -> Iterator[WirePlace]:
    """What is in the message between two offsets."""
    if end - start >= 48 and data[start] & 7 in (3, 4, 5) and data[start + 1] > _CLOCK_STRATUM:
        yield WirePlace("address", start + 12, start + 16)
    elif end - start > 8 and data[start] & 7 == _PRIVATE:  # monlist and the like: who asked this server
        yield WirePlace("digest", start + 8, end)
