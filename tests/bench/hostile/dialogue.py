"""Commands, queries and calls that nobody answers: FTP, SIP, PostgreSQL, SNMP."""

from __future__ import annotations

import struct

from .wire import Packet, Registry, Talk, timed, udp


def ftp_commands(n: int) -> list[Packet]:
    """Commands, not one answered."""
    talk = Talk(21)
    talk.server(b"220 ready\r\n")
    talk.client(b"USER a\r\n")
    for _ in range(n):
        talk.client(b"NOOP\r\n")
    return talk.packets()


def sip_requests(n: int) -> list[Packet]:
    """OPTIONS requests in one flow."""
    text = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\n"
    text += b"Content-Length: 0\r\n\r\n"
    return timed([udp(5060, 5060, text) for _ in range(n)])


def sip_endless_head(n: int) -> list[Packet]:
    """Requests over TCP whose head is as long as may be, in small pieces, over and over."""
    talk = Talk(5060)
    head = b"OPTIONS sip:a@b SIP/2.0\r\n" + b"X: " + b"a" * 28_000 + b"\r\n\r\n"
    talk.client((head * (n * 16 // len(head) + 1))[: n * 16], 16)
    return talk.packets()


def sip_pieces(n: int) -> list[Packet]:
    """Small requests over TCP, back to back, in small pieces."""
    text = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h\r\nContent-Length: 0\r\n\r\n"
    talk = Talk(5060)
    talk.client(text * n, 16)
    return talk.packets()


def _pgsql() -> Talk:
    talk = Talk(5432)
    start = struct.pack(">I", 0x30000) + b"user\0me\0\0"
    talk.client(struct.pack(">I", len(start) + 4) + start)
    talk.server(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")
    return talk


def pgsql_queries(n: int) -> list[Packet]:
    """Queries, not one answered."""
    talk = _pgsql()
    for _ in range(n):
        talk.client(b"Q\0\0\0\x0cselect;\0")
    return talk.packets()


def pgsql_rows(n: int) -> list[Packet]:
    """One query that is answered with rows without end."""
    talk = _pgsql()
    talk.client(b"Q\0\0\0\x0cselect;\0")
    talk.server(b"T\0\0\0\x1a\0\x01c\0" + bytes(18))
    for _ in range(n // 10):
        talk.server(b"D\0\0\0\x0b\0\x01\0\0\0\x01a" * 10)
    return talk.packets()


def snmp_requests(n: int) -> list[Packet]:
    """Requests in one flow, each for twenty objects, not one answered."""
    bindings = b"\x30\x06\x06\x02\x2b\x06\x05\x00" * 20
    pdu = b"\x02\x01\x07\x02\x01\0\x02\x01\0\x30\x81" + bytes([len(bindings)]) + bindings
    body = b"\x02\x01\x01\x04\x01p\xa0\x81" + bytes([len(pdu)]) + pdu
    return timed([udp(50_161, 161, b"\x30\x81" + bytes([len(body)]) + body) for _ in range(n)])


GENERATORS: Registry = {
    "ftp-commands": (ftp_commands, 250),
    "sip-requests": (sip_requests, 125),
    "sip-endless-head": (sip_endless_head, 1250),
    "sip-pieces": (sip_pieces, 100),
    "pgsql-queries": (pgsql_queries, 375),
    "pgsql-rows": (pgsql_rows, 1250),
    "snmp-requests": (snmp_requests, 375),
}
