"""HTTP/2 in the clear with fields as plain literals, DNS over it, a rapid reset; a WebSocket."""

import base64
from collections.abc import Callable

from .wire import OUTSIDE, SERVER, Tape, Tcp

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
CANCEL = 8


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame (RFC 9113 section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name: str, value: str) -> bytes:
    """A field that no table keeps (RFC 7541 section 6.2.2), both strings shorter than 127 bytes."""
    return b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))


def block(**fields: str) -> bytes:
    """Fields in order; a leading _ in a name stands for the colon of a pseudo-header, any other for -."""
    return b"".join(
        literal(":" + name[1:] if name.startswith("_") else name.replace("_", "-"), value)
        for name, value in fields.items()
    )


def request(path: str, **fields: str) -> bytes:
    return block(
        _method="GET",
        _scheme="http",
        _authority="www.example.com",
        _path=path,
        user_agent="h2-client/1.0",
        **fields,
    )


def settings(*pairs: tuple[int, int]) -> bytes:
    return b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in pairs)


def opened(tape: Tape, port: int) -> Tcp:
    """A connection by prior knowledge, settings exchanged."""
    talk = Tcp(tape, OUTSIDE, SERVER, (port, 80)).open()
    talk.say(PREFACE + frame(SETTINGS, 0, 0, settings((3, 100), (4, 65535))))
    talk.hear(frame(SETTINGS, 0, 0, settings((3, 128))) + frame(SETTINGS, ACK, 0))
    talk.say(frame(SETTINGS, ACK, 0))
    return talk


def get() -> Tape:
    tape = Tape()
    talk = opened(tape, 40201)
    page = b"<html><body><h1>It works</h1></body></html>\n"
    talk.say(frame(HEADERS, END_HEADERS | END_STREAM, 1, request("/index.html")))
    head = block(_status="200", content_type="text/html", content_length=str(len(page)))
    cut = len(head) // 2
    talk.hear(frame(HEADERS, 0, 1, head[:cut]) + frame(CONTINUATION, END_HEADERS, 1, head[cut:]))
    talk.hear(frame(DATA, 0, 1, page[:20]) + frame(DATA, END_STREAM, 1, page[20:]))
    talk.say(frame(WINDOW_UPDATE, 0, 0, (1000).to_bytes(4, "big")) + frame(GOAWAY, 0, 0, bytes(8)))
    talk.close()
    return tape


def rapid_reset() -> Tape:
    """CVE-2023-44487: streams opened and cancelled at once, so that the server works for nothing."""
    tape = Tape()
    talk = opened(tape, 40202)
    for first in range(1, 241, 40):
        talk.say(
            b"".join(
                frame(HEADERS, END_HEADERS | END_STREAM, stream, request("/search"))
                + frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4, "big"))
                for stream in range(first, first + 40, 2)
            )
        )
    talk.close()
    return tape


def dns_message(flags: int, answers: bytes = b"") -> bytes:
    question = b"\x03www\x07example\x03com\0\0\x01\0\x01"
    return (
        b"\0\0"
        + flags.to_bytes(2, "big")
        + bytes([0, 1, 0, 1 if answers else 0, 0, 0, 0, 0])
        + question
        + answers
    )


def dns_over_http() -> Tape:
    tape = Tape()
    talk = opened(tape, 40203)
    asked = base64.urlsafe_b64encode(dns_message(0x0100)).rstrip(b"=").decode()
    talk.say(
        frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            1,
            request(f"/dns-query?dns={asked}", accept="application/dns-message"),
        )
    )
    answer = dns_message(0x8180, b"\xc0\x0c\0\x01\0\x01\0\0\x01\x2c\0\x04\xc6\x33\x64\x17")
    head = block(_status="200", content_type="application/dns-message", content_length=str(len(answer)))
    talk.hear(frame(HEADERS, END_HEADERS, 1, head) + frame(DATA, END_STREAM, 1, answer))
    talk.close()
    return tape


def websocket() -> Tape:
    tape = Tape()
    talk = Tcp(tape, OUTSIDE, SERVER, (40204, 80)).open()
    talk.say(
        b"GET /chat HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    talk.hear(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    key = bytes.fromhex("37fa213d")
    text = b"hello from the client"
    masked = bytes(byte ^ key[at % 4] for at, byte in enumerate(text))
    talk.say(bytes([0x81, 0x80 | len(text)]) + key + masked)
    talk.hear(b"\x01\x06hello \x80\x0ffrom the server")
    talk.hear(b"\x88\x02\x03\xe8")
    talk.close()
    return tape


CAPTURES: dict[str, tuple[str, Callable[[], Tape]]] = {
    "http2-get.pcap": ("one GET over HTTP/2 by prior knowledge, its answer's fields in two frames", get),
    "http2-rapid-reset.pcap": ("120 streams opened and reset at once (CVE-2023-44487)", rapid_reset),
    "http2-dns.pcap": ("a DNS question and its answer over HTTP/2 (RFC 8484)", dns_over_http),
    "websocket.pcap": (
        "a WebSocket handshake, a masked text, a message in two fragments, a close",
        websocket,
    ),
}
