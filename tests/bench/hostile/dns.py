"""Names that chase pointers, and queries nobody answers."""

from __future__ import annotations

import struct

from .wire import CLIENT, SERVER, Packet, Registry, Talk, ip, timed, udp


def dns_pointer_chains(n: int) -> list[Packet]:
    """Answers whose names each run through the longest chain of compression pointers."""
    frames = []
    for i in range(n):
        labels = b"\x01a\x00"  # at 12: the end of the chain
        head = struct.pack(">HHHHHH", i & 0xFFFF, 0x8180, 1, 30, 0, 0)
        question = labels + struct.pack(">HH", 1, 1)
        padding = struct.pack(">BHHIH", 0, 16, 1, 0, 252)
        # The chain lies in the data of a first record; its pointers are offsets into the message.
        base = 12 + len(question) + len(padding)
        chain = b"".join(
            struct.pack(">H", 0xC000 | (12 if k == 0 else base + 2 * (k - 1))) for k in range(126)
        )
        last = 0xC000 | (base + 2 * 125)
        record = struct.pack(">HHHIHH", last, 5, 1, 60, 2, last)
        frames.append(
            ip(SERVER, CLIENT, 17, _udp_bytes(53, 5353, head + question + padding + chain + record * 29))
        )
    return timed(frames)


def _udp_bytes(sport: int, dport: int, payload: bytes) -> bytes:
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


def _query(i: int, flags: int = 0x0100) -> bytes:
    message = struct.pack(">HHHHHH", i & 0xFFFF, flags, 1, 0, 0, 0) + b"\x01a\x01b\x00\x00\x01\x00\x01"
    return struct.pack(">H", len(message)) + message


def dns_tcp_queries(n: int) -> list[Packet]:
    """Queries over TCP, not one answered."""
    talk = Talk(53)
    for i in range(n):
        talk.client(_query(i))
    return talk.packets()


def dns_udp_queries(n: int) -> list[Packet]:
    """Queries over UDP in one flow, not one answered."""
    return timed([udp(40_000, 53, _query(i)[2:]) for i in range(n)])


GENERATORS: Registry = {
    "dns-pointer-chains": (dns_pointer_chains, 12),
    "dns-tcp-queries": (dns_tcp_queries, 250),
    "dns-udp-queries": (dns_udp_queries, 250),
}
