"""Fragments that fill tables, and flows that meet in them."""

from __future__ import annotations

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


GENERATORS: Registry = {
    "fragment-flood": (fragment_flood, 500),
    "overlapping-fragments": (overlapping_fragments, 500),
    "colliding-flows": (colliding_flows, 500),
}
