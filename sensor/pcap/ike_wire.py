"""IKE messages in the clear (RFC 2408, 7296): who the ends say they are. Only finds."""

from __future__ import annotations

from collections.abc import Iterator

from sensor.pcap.dns_wire import WirePlace

PORTS = frozenset((500, 4500))
MAX_PAYLOADS = 64
_HEADER_BYTES, _ENCRYPTED = 28, 1
_IPV4 = 1  # the kind of an identity
_IDENTITIES = frozenset((5, 35, 36))
_NOTIFY, _REDIRECTS = 41, range(16406, 16409)  # RFC 5685


def ike_places(data: bytes, start: int, end: int) -> Iterator[WirePlace]:
    """What is in the message between two offsets."""
    is_version = data[start + 17 : start + 18] in (b"\x10", b"\x20")
    if data[start : start + 4] == bytes(4) and not is_version:  # port 4500
        start += 4
    if end - start < _HEADER_BYTES or (data[start + 17] >> 4 == 1 and data[start + 19] & _ENCRYPTED):
        return
    kind, at = data[start + 16], start + _HEADER_BYTES
    for _ in range(MAX_PAYLOADS):
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        if not kind or at + 8 > end or size < 4:
            return
        stop = min(at + size, end)
        is_redirect = kind == _NOTIFY and int.from_bytes(data[at + 6 : at + 8], "big") in _REDIRECTS
        if kind in _IDENTITIES and data[at + 4] == _IPV4 and at + 12 <= end:
            yield WirePlace("address", at + 8, at + 12)
        elif (kind in _IDENTITIES or is_redirect) and stop > at + 8:
            yield WirePlace("digest", at + 8, stop)
        kind, at = data[at], at + size
