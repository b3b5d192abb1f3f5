"""Telnet (RFC 854): what a client types first, a name and a password, in one go or by letters. Only finds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sensor.pcap.dns_wire import WirePlace

PORTS = frozenset((23, 2323))
MAX_LINES = 2
# Negotiation, or a line of what is typed.
_TOKEN = re.compile(
    rb"\xff(?:\xfa[\s\S]{0,256}?\xff\xf0|[\xfb-\xfe][\s\S]?|[\s\S]?)|([^\xff\r\n\0]{1,256})|[\r\n\0]"
)


def telnet_places(data: bytes, start: int, end: int) -> Iterator[WirePlace]:
    """What is in what a client sent, from its first byte on."""
    lines = 0
    for token in _TOKEN.finditer(data, start, end):
        if token[1]:
            yield WirePlace("secret", *token.span(1))
            lines += 1
        if lines == MAX_LINES:
            return
