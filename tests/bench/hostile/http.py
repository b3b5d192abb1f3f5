"""HTTP/1 with endless heads, pipelines and bodies of crumbs, and what follows an upgrade."""

from __future__ import annotations

import zlib

from .wire import Packet, Registry, Talk


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
    bomb = packer.compress(bytes(2 << 20)) + packer.flush()
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


def _piece(talk: Talk, at: int, total: int) -> None:
    talk.client(b"GET /f HTTP/1.1\r\nHost: h\r\nRange: bytes=%d-%d\r\n\r\n" % (at, at))
    talk.server(
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n"
        b"Content-Range: bytes %d-%d/%d\r\n\r\nx" % (at, at, total)
    )


def http_range_crumbs(n: int) -> list[Packet]:
    """A file fetched byte by byte, the last one first, every other one missing: all of it has to wait."""
    talk = Talk(80)
    for at in range(2 * n, 0, -2):
        _piece(talk, at, 2 * n + 2)
    return talk.packets()


def http_range_wholes(n: int) -> list[Packet]:
    """One piece each of files without number."""
    talk = Talk(80)
    for total in range(10, 10 + n):
        _piece(talk, 5, total)
    return talk.packets()


def _websocket() -> Talk:
    talk = Talk(80)
    talk.client(
        b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    talk.server(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    return talk


def websocket_tiny(n: int) -> list[Packet]:
    """WebSocket messages of one byte."""
    talk = _websocket()
    for _ in range(n // 10):
        talk.client(b"\x82\x81\x00\x00\x00\x00x" * 10)
    return talk.packets()


def websocket_fragments(n: int) -> list[Packet]:
    """One WebSocket message whose fragments never end, a ping between each two."""
    talk = _websocket()
    talk.client(b"\x02\x81\x00\x00\x00\x00x")
    for _ in range(n // 10):
        talk.client((b"\x00\x81\x00\x00\x00\x00x" + b"\x89\x80\x00\x00\x00\x00") * 10)
    return talk.packets()


GENERATORS: Registry = {
    "http-many-headers": (http_many_headers, 1250),
    "http-same-header": (http_same_header, 1250),
    "http-endless-line": (http_endless_line, 500),
    "http-unanswered": (http_unanswered, 125),
    "http-pipelined": (http_pipelined, 100),
    "http-tiny-chunks": (http_tiny_chunks, 2500),
    "http-bombs": (http_bombs, 1),
    "http-tiny-parts": (http_tiny_parts, 250),
    "http-range-crumbs": (http_range_crumbs, 500),
    "http-range-wholes": (http_range_wholes, 2500),
    "websocket-tiny": (websocket_tiny, 150),
    "websocket-fragments": (websocket_fragments, 100),
}
