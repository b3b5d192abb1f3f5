"""Writes MaxMind DB files (format 2.0, as MaxMind publishes it) as far as tests of `geoip` need them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"
_TEXT, _UINT16, _UINT32, _MAP, _UINT64, _ARRAY = 2, 5, 6, 7, 9, 11
_WIDTHS = {"node_count": _UINT32, "build_epoch": _UINT64}


def database(countries: Mapping[str, str | None], version: int = 6) -> bytes:
    """A file of networks, none within another, and their ISO country codes; None: listed without a country.

    Records of the search tree have 24 bits.
    """
    nodes: list[list[int | None]] = [[None, None]]
    records: list[tuple[int, int, int]] = []
    data = b""
    for text, country in countries.items():
        network = ipaddress.ip_network(text)
        bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
        path = [int(bit) for bit in ("0" * 96 + bits if (network.version, version) == (4, 6) else bits)]
        at = 0
        for bit in path[:-1]:
            following = nodes[at][bit]
            if following is None:
                nodes[at][bit] = following = len(nodes)
                nodes.append([None, None])
            at = following
        records.append((at, path[-1], len(data)))
        data += _field({"country": {"iso_code": country}} if country else {"continent": {"code": "AS"}})
    tree = [[len(nodes) if record is None else record for record in node] for node in nodes]
    for at, bit, offset in records:
        tree[at][bit] = len(nodes) + 16 + offset
    metadata = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1,
        "database_type": "Test-Country",
        "description": {"en": "made by a test"},
        "ip_version": version,
        "languages": ["en"],
        "node_count": len(nodes),
        "record_size": 24,
    }
    packed = b"".join(record.to_bytes(3, "big") for node in tree for record in node)
    return packed + bytes(16) + data + _MARKER + _field(metadata)


def _field(value: Any, kind: int = _UINT16) -> bytes:
    """One value with its control byte; `kind` is that of an integer."""
    match value:
        case str():
            return _control(_TEXT, len(value.encode())) + value.encode()
        case int():
            data = value.to_bytes((value.bit_length() + 7) // 8, "big")
            return _control(kind, len(data)) + data
        case dict():
            pairs = (_field(key) + _field(of, _WIDTHS.get(key, _UINT16)) for key, of in value.items())
            return _control(_MAP, len(value)) + b"".join(pairs)
        case _:
            return _control(_ARRAY, len(value)) + b"".join(map(_field, value))


def _control(kind: int, size: int) -> bytes:
    """Type and size below 285 (29 and one byte more)."""
    first, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return bytes([kind << 5 | first]) + more if kind < 8 else bytes([first, kind - 7]) + more
