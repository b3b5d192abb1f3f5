"""HTTP/2 with streams, tables and frames without end."""

from __future__ import annotations

import struct

from .wire import Packet, Registry, Talk

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def _h2(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


_GET = b"\x82\x84\x86\x41\x01h"  # GET, /, http, :authority h (RFC 7541, appendix A)


def h2_streams(n: int) -> list[Packet]:
    """Streams that open and never close."""
    talk = Talk(80)
    talk.client(_PREFACE + _h2(4, 0, 0))
    talk.server(_h2(4, 0, 0))
    for i in range(n):
        talk.client(_h2(1, 5, 1 + 2 * i, _GET))
    return talk.packets()


def h2_one_open(n: int) -> list[Packet]:
    """One stream stays open while others come, are answered and go."""
    talk = Talk(80)
    talk.client(_PREFACE + _h2(4, 0, 0) + _h2(1, 4, 1, _GET))
    talk.server(_h2(4, 0, 0))
    for i in range(1, n):
        talk.client(_h2(1, 5, 1 + 2 * i, _GET))
        talk.server(_h2(1, 5, 1 + 2 * i, b"\x88"))
    return talk.packets()


def h2_table_churn(n: int) -> list[Packet]:
    """Each block of headers fills the dynamic table anew and names all of it."""
    talk = Talk(80)
    talk.client(_PREFACE + _h2(4, 0, 0))
    talk.server(_h2(4, 0, 0))
    for i in range(n):
        added = b"".join(b"\x40\x04x%03d\x01y" % ((i * 16 + k) % 1000) for k in range(16))
        talk.client(_h2(1, 5, 1 + 2 * i, _GET + added + bytes(0x80 | (62 + k) for k in range(32))))
        talk.server(_h2(1, 5, 1 + 2 * i, b"\x88"))
    return talk.packets()


def h2_tiny_frames(n: int) -> list[Packet]:
    """Settings and pings without end."""
    talk = Talk(80)
    talk.client(_PREFACE + _h2(4, 0, 0))
    talk.server(_h2(4, 0, 0))
    for _ in range(n // 10):
        talk.client((_h2(4, 0, 0) + _h2(6, 0, 0, bytes(8))) * 5)
    return talk.packets()


def h2_continuation(n: int) -> list[Packet]:
    """Headers continued without end (CVE-2024-27316 and its kin)."""
    talk = Talk(80)
    talk.client(_PREFACE + _h2(4, 0, 0) + _h2(1, 1, 1, _GET))
    for _ in range(n):
        talk.client(_h2(9, 0, 1, b"\x00\x01a\x01b"))
    return talk.packets()


def h2_rapid_reset(n: int) -> list[Packet]:
    """Streams that are opened and reset at once (CVE-2023-44487)."""
    talk = Talk(80)
    talk.client(_PREFACE + _h2(4, 0, 0))
    talk.server(_h2(4, 0, 0))
    for i in range(n):
        talk.client(_h2(1, 5, 1 + 2 * i, _GET) + _h2(3, 0, 1 + 2 * i, b"\0\0\0\x08"))
    return talk.packets()


def h2_tiny_data(n: int) -> list[Packet]:
    """An upload in DATA frames of one byte."""
    talk = Talk(80)
    talk.client(_PREFACE + _h2(4, 0, 0) + _h2(1, 4, 1, b"\x83\x84\x86\x41\x01h"))
    talk.server(_h2(4, 0, 0))
    for _ in range(n // 10):
        talk.client(_h2(0, 0, 1, b"a") * 10)
    return talk.packets()


GENERATORS: Registry = {
    "h2-streams": (h2_streams, 150),
    "h2-one-open": (h2_one_open, 80),
    "h2-table-churn": (h2_table_churn, 50),
    "h2-tiny-frames": (h2_tiny_frames, 400),
    "h2-continuation": (h2_continuation, 250),
    "h2-rapid-reset": (h2_rapid_reset, 80),
    "h2-tiny-data": (h2_tiny_data, 400),
}
