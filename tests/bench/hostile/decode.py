"""Fragments that fill tables, and flows that meet in them."""

from __future__ import annotations

import struct

from .wire import CLIENT, SERVER, Packet, Registry, ip, timed, udp


def fragment_flood(n: int) -> list[Packet]:
    """First fragments of datagrams that never become whole."""
    return timed([ip(CLIENT, SERVER, 17, bytes(64), ident=i, fragment=0x2000) for i in range(n)])


def overlapping_fragments(n: int) -> list[Packet]:
    """Many fragments of few datagrams, each over the last one, backwards."""
    frames = []
    for i in range(n):
        offset = 4000 - i % 4000
        frames.append(
            ip(CLIENT, SERVER, 17, bytes([i & 255]) * 64, ident=i // 4000, fragment=0x2000 | offset)
        )
    return timed(frames)


def colliding_flows(n: int) -> list[Packet]:
    """Flows whose addresses and ports add up to the same: they meet in a table with a plain hash."""
    frames = []
    for i in range(n):
        high, low = divmod(i, 256)
        source = bytes((10, high >> 8 & 255, high & 255, low))
        target = bytes((10, 255 - (high >> 8 & 255), 255 - (high & 255), 255 - low))
        frames.append(udp(1024 + i % 60_000, 61_024 - i % 60_000, b"x" * 20, source, target))
    return timed(frames)


def syn_flood(n: int) -> list[Packet]:
    """Connections that are begun from everywhere and never answered."""
    frames = []
    for i in range(n):
        source = struct.pack(">I", 0x0A00_0000 + i * 7919 % (1 << 24))
        syn = struct.pack(">HHIIBBHHH", 1024 + i % 60_000, 80, i, 0, 0x50, 2, 65_535, 0, 0)
        frames.append(ip(source, SERVER, 6, syn))
    return timed(frames)


def ipv6_extensions(n: int) -> list[Packet]:
    """Datagrams of a hundred extension headers."""
    options = b"\x3c\0\x01\x04" + bytes(4)  # one of destination options, another behind it (RFC 8200, 4.6)
    chain = options * 99 + b"\x3b" + options[1:]
    head = struct.pack(">IHBB", 0x6000_0000, len(chain), 60, 64) + b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01"
    head += b"\x20\x01\x0d\xb8" + bytes(11) + b"\x02"
    return timed([bytes(12) + b"\x86\xdd" + head + chain for _ in range(n)])


def nested_tunnels(n: int) -> list[Packet]:
    """Datagrams within datagrams, forty deep (RFC 2003)."""
    inner = udp(40_000, 40_001, b"x" * 20)[14:]
    for _ in range(40):
        inner = ip(CLIENT, SERVER, 4, inner)[14:]
    return timed([bytes(12) + b"\x08\x00" + inner for _ in range(n)])


GENERATORS: Registry = {
    "fragment-flood": (fragment_flood, 500),
    "overlapping-fragments": (overlapping_fragments, 250),
    "colliding-flows": (colliding_flows, 250),
    "syn-flood": (syn_flood, 200),
    "ipv6-extensions": (ipv6_extensions, 250),
    "nested-tunnels": (nested_tunnels, 250),
}
