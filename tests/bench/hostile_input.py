"""Captures of any size, each shaped so that a careless engine's cost grows with its square: what `linear.py`
measures.

Every generator takes n and returns packets (time, Ethernet frame); their number or size is proportional to n.
"""

from __future__ import annotations

import base64
import random
import struct
import zlib
from collections.abc import Callable

Packet = tuple[float, bytes]
CLIENT, SERVER = bytes((10, 20, 0, 15)), bytes((10, 20, 0, 80))
STEP_SECONDS = 0.0001
MSS = 1400


def ip(src: bytes, dst: bytes, protocol: int, payload: bytes, ident: int = 0, fragment: int = 0) -> bytes:
    """An Ethernet frame with IPv4; `fragment` is the field of flags and offset (RFC 791)."""
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident & 0xFFFF, fragment, 64, protocol, 0, src, dst
    )
    return bytes(12) + b"\x08\x00" + head + payload


def udp(sport: int, dport: int, payload: bytes, src: bytes = CLIENT, dst: bytes = SERVER) -> bytes:
    return ip(src, dst, 17, struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload)


class Talk:
    """One TCP connection to `port`, its handshake done."""

    def __init__(self, port: int, sport: int = 40_000) -> None:
        self.ports = (sport, port)
        self.next = [1_000, 2_000]
        self.unacknowledged = [0, 0]
        self.frames: list[bytes] = []
        self.segment(0, b"", 0x02)
        self.segment(1, b"", 0x12)
        self.next = [1_001, 2_001]
        self.segment(0, b"", 0x10)

    def segment(self, side: int, payload: bytes, flags: int = 0x18, seq: int | None = None) -> None:
        """One segment; with `seq` it goes there and the connection's own place stays."""
        at = self.next[side] if seq is None else seq
        ack = 0 if flags == 0x02 else self.next[1 - side] + (flags == 0x12)
        head = struct.pack(
            ">HHIIBBHHH", self.ports[side], self.ports[1 - side], at, ack, 0x50, flags, 65_535, 0, 0
        )
        ends = (CLIENT, SERVER) if side == 0 else (SERVER, CLIENT)
        self.frames.append(ip(*ends, 6, head + payload))
        if seq is None:
            self.next[side] += len(payload)

    def client(self, data: bytes, size: int = MSS) -> None:
        self._send(0, data, size)

    def server(self, data: bytes, size: int = MSS) -> None:
        self._send(1, data, size)

    def _send(self, side: int, data: bytes, size: int) -> None:
        """Data in segments of `size`; every other one is acknowledged, as it is by real hosts."""
        for at in range(0, len(data), size):
            self.segment(side, data[at : at + size])
            self.unacknowledged[side] += 1
            if self.unacknowledged[side] >= 2:
                self.segment(1 - side, b"", 0x10)
                self.unacknowledged[side] = 0

    def packets(self) -> list[Packet]:
        return timed(self.frames)


def timed(frames: list[bytes]) -> list[Packet]:
    return [(i * STEP_SECONDS, frame) for i, frame in enumerate(frames)]


# TCP and IP ----------------------------------------------------------------------------------------


def tiny_segments(n: int) -> list[Packet]:
    """An upload in segments of one byte."""
    talk = Talk(80)
    talk.client(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % n)
    talk.client(b"a" * n, 1)
    return talk.packets()


def overlapping_segments(n: int) -> list[Packet]:
    """Behind a hole that is filled at the end: segments that each overlap the 20 before them and differ."""
    talk = Talk(80)
    talk.client(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (n * 50))
    begin = talk.next[0]
    for i in range(n):
        talk.segment(0, bytes([65 + i % 26]) * 1000, seq=begin + 100 + i * 50)
    talk.segment(0, b"x" * 100)
    return talk.packets()


def backward_segments(n: int) -> list[Packet]:
    """The last byte first: every segment goes before all that is held."""
    talk = Talk(80)
    talk.client(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (n * 8))
    for i in reversed(range(n)):
        talk.segment(0, b"b" * 8, seq=talk.next[0] + i * 8)
    return talk.packets()


def every_other_segment(n: int) -> list[Packet]:
    """Stretches of one byte with holes between them, never filled."""
    talk = Talk(80)
    talk.client(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (n * 2))
    order = list(range(n))
    random.Random(1).shuffle(order)
    for i in order:
        talk.segment(0, b"c", seq=talk.next[0] + 1 + i * 2)
    return talk.packets()


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


# HTTP ----------------------------------------------------------------------------------------------


def http_many_headers(n: int) -> list[Packet]:
    """Requests of a thousand headers."""
    talk = Talk(80)
    for at in range(0, n, 1000):
        names = b"".join(b"X-%d: y\r\n" % i for i in range(min(1000, n - at)))
        talk.client(b"GET / HTTP/1.1\r\nHost: h\r\n" + names + b"\r\n")
        talk.server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    return talk.packets()


def http_same_header(n: int) -> list[Packet]:
    """One request whose header never ends: the same name again and again, in small pieces."""
    talk = Talk(80)
    talk.client(b"GET / HTTP/1.1\r\nHost: h\r\n" + b"Cookie: a=b\r\n" * n, 64)
    return talk.packets()


def http_endless_line(n: int) -> list[Packet]:
    """One header value that never ends, in small pieces: who looks for its end begins anew each time."""
    talk = Talk(80)
    talk.client(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * (n * 16), 16)
    return talk.packets()


def http_unanswered(n: int) -> list[Packet]:
    """Requests one after another, no answers."""
    talk = Talk(80)
    for i in range(n):
        talk.client(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % i)
    return talk.packets()


def http_pipelined(n: int) -> list[Packet]:
    """All requests, then all answers."""
    talk = Talk(80)
    talk.client(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * n)
    talk.server(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx" * n)
    return talk.packets()


def http_tiny_chunks(n: int) -> list[Packet]:
    """A body in chunks of one byte."""
    talk = Talk(80)
    talk.client(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    talk.server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * n + b"0\r\n\r\n")
    return talk.packets()


def http_bombs(n: int) -> list[Packet]:
    """Answers of a few kilobytes that unpack to megabytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = packer.compress(bytes(4 << 20)) + packer.flush()
    talk = Talk(80)
    for _ in range(n):
        talk.client(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        talk.server(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb
        )
    return talk.packets()


def http_tiny_parts(n: int) -> list[Packet]:
    """An upload of many parts, almost boundaries among them."""
    body = b"".join(
        b'--bb\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n--b\r\n' % i for i in range(n)
    )
    talk = Talk(80)
    talk.client(
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=bb\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
    return talk.packets()


def websocket_tiny(n: int) -> list[Packet]:
    """WebSocket messages of one byte."""
    talk = Talk(80)
    talk.client(
        b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    talk.server(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    for _ in range(n // 10):
        talk.client(b"\x82\x81\x00\x00\x00\x00x" * 10)
    return talk.packets()


# HTTP/2 --------------------------------------------------------------------------------------------

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


# DNS -----------------------------------------------------------------------------------------------


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


# Mail ----------------------------------------------------------------------------------------------


def _mail() -> Talk:
    talk = Talk(25)
    talk.server(b"220 h ESMTP\r\n")
    talk.client(b"EHLO c\r\n")
    talk.server(b"250 h\r\n")
    return talk


def _letter(talk: Talk, body: bytes) -> list[Packet]:
    talk.client(b"MAIL FROM:<a@b>\r\n")
    talk.server(b"250 ok\r\n")
    talk.client(b"RCPT TO:<c@d>\r\n")
    talk.server(b"250 ok\r\n")
    talk.client(b"DATA\r\n")
    talk.server(b"354 go\r\n")
    talk.client(body + b"\r\n.\r\n")
    talk.server(b"250 ok\r\n")
    return talk.packets()


def smtp_commands(n: int) -> list[Packet]:
    """Commands one after another, unanswered."""
    talk = _mail()
    for _ in range(n):
        talk.client(b"NOOP\r\n")
    return talk.packets()


def smtp_recipients(n: int) -> list[Packet]:
    """A letter to very many."""
    talk = _mail()
    talk.client(b"MAIL FROM:<a@b>\r\n")
    talk.server(b"250 ok\r\n")
    for i in range(n):
        talk.client(b"RCPT TO:<u%d@d>\r\n" % i)
        talk.server(b"250 ok\r\n")
    return talk.packets()


def mime_deep(n: int) -> list[Packet]:
    """Parts within parts within parts."""
    body = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(n)
    )
    return _letter(_mail(), b"Subject: s\r\n" + body)


def mime_many_parts(n: int) -> list[Packet]:
    """Many small attachments."""
    part = b"--b\r\nContent-Disposition: attachment; filename=a\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    text = base64.b64encode(b"hello world") + b"\r\n"
    return _letter(
        _mail(), b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + (part + text) * n + b"--b--"
    )


def mime_headers(n: int) -> list[Packet]:
    """A letter of headers, folded ones among them."""
    return _letter(_mail(), b"X-A: =?utf-8?q?a?=\r\n b\r\n" * n + b"\r\nx")


def mime_boundaries(n: int) -> list[Packet]:
    """A body of lines that almost are a boundary, and of addresses."""
    body = b"--bbbbbb\r\nhttp://a.b/c\r\n" * n
    return _letter(
        _mail(), b"Content-Type: multipart/mixed; boundary=bbbbbbb\r\n\r\n--bbbbbbb\r\n\r\n" + body
    )


# Others --------------------------------------------------------------------------------------------


def tls_tiny_records(n: int) -> list[Packet]:
    """A handshake in records of one byte: the message is as long as may be."""
    talk = Talk(443)
    hello = b"\x01" + struct.pack(">I", 60_000)[1:] + b"\x03\x03" + bytes(60_000)
    for i in range(n // 10):
        piece = hello[(i * 10) % len(hello) :][:10]
        talk.client(b"".join(b"\x16\x03\x01\x00\x01" + piece[k : k + 1] for k in range(len(piece))))
    return talk.packets()


def tls_application_records(n: int) -> list[Packet]:
    """Empty records of application data."""
    talk = Talk(443)
    hello = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    hello = b"\x01" + struct.pack(">I", len(hello))[1:] + hello
    talk.client(b"\x16\x03\x01" + struct.pack(">H", len(hello)) + hello)
    for _ in range(n // 10):
        talk.client(b"\x17\x03\x03\x00\x01x" * 10)
    return talk.packets()


def _smb2(command: int, message: int, body: bytes, flags: int = 0) -> bytes:
    head = b"\xfeSMB" + struct.pack(
        "<HHIHHIIQIIQ16s", 64, 1, 0, command, 1, flags, 0, message, 0, 1, 1, bytes(16)
    )
    return struct.pack(">I", len(head) + len(body)) + head + body


def smb_unanswered(n: int) -> list[Packet]:
    """SMB2 requests, not one answered."""
    talk = Talk(445)
    talk.client(_smb2(0, 0, struct.pack("<HHHHI16sQH", 36, 1, 1, 0, 0, bytes(16), 0, 0x0311)))
    for i in range(1, n):
        talk.client(_smb2(6, i, struct.pack("<HHI16s", 24, 0, 0, struct.pack("<QQ", i, i))))
    return talk.packets()


def smb_one_open(n: int) -> list[Packet]:
    """The first request stays open while others are answered."""
    talk = Talk(445)
    talk.client(_smb2(0, 0, struct.pack("<HHHHI16sQH", 36, 1, 1, 0, 0, bytes(16), 0, 0x0311)))
    talk.client(_smb2(6, 1, struct.pack("<HHI16s", 24, 0, 0, struct.pack("<QQ", 1, 1))))
    for i in range(2, n):
        talk.client(_smb2(6, i, struct.pack("<HHI16s", 24, 0, 0, struct.pack("<QQ", i, i))))
        talk.server(_smb2(6, i, struct.pack("<HHIQQQQQII", 60, 0, 0, 0, 0, 0, 0, 0, 0, 0), 1))
    return talk.packets()


_CONNECT = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc"


def mqtt_unacknowledged(n: int) -> list[Packet]:
    """PUBLISH with QoS 1, not one acknowledged."""
    talk = Talk(1883)
    talk.client(_CONNECT)
    talk.server(b"\x20\x02\x00\x00")
    for i in range(n):
        talk.client(b"\x32\x08\x00\x01t" + struct.pack(">H", i % 65_535 + 1) + b"abc")
    return talk.packets()


def mqtt_one_open(n: int) -> list[Packet]:
    """One PUBLISH is never acknowledged while others are."""
    talk = Talk(1883)
    talk.client(_CONNECT)
    talk.server(b"\x20\x02\x00\x00")
    talk.client(b"\x32\x08\x00\x01t\xff\xffabc")
    for i in range(n):
        ident = struct.pack(">H", i % 65_000 + 1)
        talk.client(b"\x32\x08\x00\x01t" + ident + b"abc")
        talk.server(b"\x40\x02" + ident)
    return talk.packets()


def modbus_unanswered(n: int) -> list[Packet]:
    """Requests, not one answered."""
    talk = Talk(502)
    for i in range(n):
        talk.client(struct.pack(">HHHBBHH", i & 0xFFFF, 0, 6, 1, 3, 0, 1))
    return talk.packets()


def enip_unanswered(n: int) -> list[Packet]:
    """ListIdentity requests with contexts of their own, not one answered."""
    talk = Talk(44818)
    for i in range(n):
        talk.client(struct.pack("<HHIIQI", 0x63, 0, 0, 0, i, 0))
    return talk.packets()


def ftp_commands(n: int) -> list[Packet]:
    """Commands, not one answered."""
    talk = Talk(21)
    talk.server(b"220 ready\r\n")
    talk.client(b"USER a\r\n")
    for _ in range(n):
        talk.client(b"NOOP\r\n")
    return talk.packets()


def pop3_commands(n: int) -> list[Packet]:
    """Commands, not one answered."""
    talk = Talk(110)
    talk.server(b"+OK ready\r\n")
    for _ in range(n):
        talk.client(b"NOOP\r\n")
    return talk.packets()


def sip_requests(n: int) -> list[Packet]:
    """OPTIONS requests in one flow."""
    text = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\n"
    text += b"Content-Length: 0\r\n\r\n"
    return timed([udp(5060, 5060, text) for _ in range(n)])


def nfs_unanswered(n: int) -> list[Packet]:
    """NFS version 3 calls, not one answered."""
    talk = Talk(2049)
    for i in range(n):
        call = struct.pack(">IIIIII", i, 0, 2, 100_003, 3, 1) + bytes(16) + struct.pack(">I", 8) + b"handle00"
        talk.client(struct.pack(">I", 0x8000_0000 | len(call)) + call)
    return talk.packets()


def ldap_unanswered(n: int) -> list[Packet]:
    """Searches, not one answered."""
    talk = Talk(389)
    search = b"\x04\x00\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x01a\x30\x00"
    operation = b"\x63" + bytes((len(search),)) + search
    for i in range(n):
        message = b"\x02\x03" + struct.pack(">I", i + 1)[1:] + operation
        talk.client(b"\x30" + bytes((len(message),)) + message)
    return talk.packets()


# name -> (generator, n of the smallest input)
GENERATORS: dict[str, tuple[Callable[[int], list[Packet]], int]] = {
    "tiny-segments": (tiny_segments, 2000),
    "overlapping-segments": (overlapping_segments, 1000),
    "backward-segments": (backward_segments, 1000),
    "every-other-segment": (every_other_segment, 1000),
    "fragment-flood": (fragment_flood, 2000),
    "overlapping-fragments": (overlapping_fragments, 2000),
    "colliding-flows": (colliding_flows, 2000),
    "http-many-headers": (http_many_headers, 5000),
    "http-same-header": (http_same_header, 5000),
    "http-endless-line": (http_endless_line, 2000),
    "http-unanswered": (http_unanswered, 1000),
    "http-pipelined": (http_pipelined, 1000),
    "http-tiny-chunks": (http_tiny_chunks, 10_000),
    "http-bombs": (http_bombs, 2),
    "http-tiny-parts": (http_tiny_parts, 1000),
    "websocket-tiny": (websocket_tiny, 5000),
    "h2-streams": (h2_streams, 1000),
    "h2-one-open": (h2_one_open, 1000),
    "h2-table-churn": (h2_table_churn, 200),
    "h2-tiny-frames": (h2_tiny_frames, 5000),
    "h2-continuation": (h2_continuation, 1000),
    "dns-pointer-chains": (dns_pointer_chains, 50),
    "dns-tcp-queries": (dns_tcp_queries, 1000),
    "dns-udp-queries": (dns_udp_queries, 1000),
    "smtp-commands": (smtp_commands, 1000),
    "smtp-recipients": (smtp_recipients, 500),
    "mime-deep": (mime_deep, 1000),
    "mime-many-parts": (mime_many_parts, 500),
    "mime-headers": (mime_headers, 1000),
    "mime-boundaries": (mime_boundaries, 2000),
    "tls-tiny-records": (tls_tiny_records, 5000),
    "tls-application-records": (tls_application_records, 5000),
    "smb-unanswered": (smb_unanswered, 1000),
    "smb-one-open": (smb_one_open, 1000),
    "mqtt-unacknowledged": (mqtt_unacknowledged, 1000),
    "mqtt-one-open": (mqtt_one_open, 1000),
    "modbus-unanswered": (modbus_unanswered, 1000),
    "enip-unanswered": (enip_unanswered, 1000),
    "ftp-commands": (ftp_commands, 1000),
    "pop3-commands": (pop3_commands, 1000),
    "sip-requests": (sip_requests, 500),
    "nfs-unanswered": (nfs_unanswered, 1000),
    "ldap-unanswered": (ldap_unanswered, 1000),
}
