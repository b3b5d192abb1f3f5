"""Ordinary HTTP/1 conversations: what parsers must read, and the benign twin of every web attack."""

from collections.abc import Callable
from zlib import adler32

from .wire import OUTSIDE, SERVER, Tape, Tcp

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
Headers = dict[str, str]


def request(
    target: str, host: str = "www.example.com", method: str = "GET", body: bytes = b"", **headers: str
) -> bytes:
    """The bytes of a request; in a header's name _ stands for -, and an empty value drops the header."""
    fields: Headers = {"Host": host, "User-Agent": BROWSER, "Accept": "*/*"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    if body and "Transfer-Encoding" not in fields:
        fields["Content-Length"] = str(len(body))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def response(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    fields: Headers = {"Server": "example", "Content-Type": "text/html"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    if "Transfer-Encoding" not in fields:
        fields["Content-Length"] = str(len(body))
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def exchange(
    *pairs: tuple[bytes, bytes],
    tape: Tape | None = None,
    client: str = OUTSIDE,
    server: str = SERVER,
    port: int = 40001,
) -> Tape:
    """One connection carrying requests and their answers in turn."""
    tape = tape or Tape()
    talk = Tcp(tape, client, server, (port, 80)).open()
    for asked, answered in pairs:
        talk.say(asked)
        talk.hear(answered)
    talk.close()
    return tape


PAGE = b"<html><body><h1>It works</h1></body></html>\n"
OK = response(PAGE)
# PAGE twenty times, compressed once and kept: zlib and its replacements differ in the bytes they make.
PAGE_20_GZIP = bytes.fromhex(
    "1f8b0800000000000203b3c928c9cdb1b349ca4fa9b4b3c930b4f32c5128cf2fca2eb6d107726cf421e2fa60455c36a36a47d58eaaa5482d001a8acbc"
    "d70030000"
)


def get() -> Tape:
    return exchange((request("/index.html"), OK), (request("/missing"), response(b"gone", "404 Not Found")))


def post() -> Tape:
    body = b"name=Lan&city=H%E1%BA%A3i+Ph%C3%B2ng&note=select+a+union+of+teachers"
    asked = request("/survey", method="POST", body=body, Content_Type="application/x-www-form-urlencoded")
    return exchange((asked, response(b"", "303 See Other", Location="/thanks")))


def chunked_transfer() -> Tape:
    answer = response(chunked(b"<html>", b"<p>one", b" two</p>", b"</html>"), Transfer_Encoding="chunked")
    asked = request(
        "/upload", method="PUT", body=chunked(b"alpha ", b"beta ", b"gamma"), Transfer_Encoding="chunked"
    )
    return exchange((asked, answer))


def compressed() -> Tape:
    body = PAGE_20_GZIP
    once = response(body, Content_Encoding="gzip")
    both = response(chunked(body[:40], body[40:]), Content_Encoding="gzip", Transfer_Encoding="chunked")
    return exchange((request("/a", Accept_Encoding="gzip"), once), (request("/b"), both))


def pipelined() -> Tape:
    tape = Tape()
    talk = Tcp(tape, OUTSIDE).open()
    talk.say(b"".join(request(f"/item/{number}") for number in range(1, 5)))
    talk.hear(b"".join(response(b"item %d" % number) for number in range(1, 5)))
    talk.close()
    return tape


def variety() -> Tape:
    """HEAD without body, 100 Continue, 204, deflate, HTTP/1.0 ended by the close."""
    tape = Tape()
    talk = Tcp(tape, OUTSIDE).open()
    talk.say(request("/index.html", method="HEAD"))
    talk.hear(response(b"").replace(b"Content-Length: 0", b"Content-Length: 5120"))
    body = b"file contents"
    whole = request("/upload", method="PUT", body=body, Expect="100-continue")
    talk.say(whole[: -len(body)])
    talk.hear(b"HTTP/1.1 100 Continue\r\n\r\n")
    talk.say(body)
    talk.hear(response(b"", "204 No Content").replace(b"Content-Length: 0\r\n", b""))
    talk.say(request("/deflated"))
    length = len(PAGE).to_bytes(2, "little") + (0xFFFF - len(PAGE)).to_bytes(2, "little")
    stored = b"\x78\x01\x01" + length + PAGE + adler32(PAGE).to_bytes(4, "big")  # one block, not compressed
    talk.hear(response(stored, Content_Encoding="deflate"))
    talk.close()
    old = Tcp(tape, OUTSIDE, ports=(40002, 80)).open()
    old.say(b"GET /old HTTP/1.0\r\nUser-Agent: example\r\n\r\n")
    old.hear(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE)
    old.close()
    return tape


MANUAL = b"Read before switching on. " * 160


def ranges() -> Tape:
    """MANUAL in four pieces: out of order, two on one connection, two on others; a proxy names the client."""
    tape = Tape()

    def piece(start: int, end: int) -> tuple[bytes, bytes]:
        told = {"Range": f"bytes={start}-{end}", "X_Forwarded_For": "192.0.2.7, 203.0.113.9"}
        part = response(
            MANUAL[start : end + 1],
            "206 Partial Content",
            Content_Type="application/octet-stream",
            Content_Range=f"bytes {start}-{end}/{len(MANUAL)}",
        )
        return request("/manual.bin", **told), part

    exchange(piece(3000, len(MANUAL) - 1), tape=tape)
    exchange(piece(0, 999), piece(2000, 2999), tape=tape, port=40002)
    return exchange(piece(1000, 1999), tape=tape, port=40003)


CAPTURES: dict[str, tuple[str, Callable[[], Tape]]] = {
    "http-get.pcap": ("two GET requests on one connection, 200 and 404, full handshake and teardown", get),
    "http-post.pcap": ("form POST with percent-encoded UTF-8 and harmless SQL words, 303 answer", post),
    "http-chunked.pcap": ("chunked request and chunked response", chunked_transfer),
    "http-gzip.pcap": ("gzip response bodies, one plain and one chunked", compressed),
    "http-variety.pcap": ("HEAD, 100 Continue, 204, deflate, HTTP/1.0", variety),
    "http-pipelined.pcap": ("four pipelined requests in one segment and their four answers", pipelined),
    "http-ranges.pcap": ("one file in four pieces over three connections, through a proxy", ranges),
}
