"""Remote access, calls and databases: SSH, VNC, RDP, SIP, PostgreSQL; an oddity and its benign twin each."""

import struct
from collections.abc import Callable

from .wire import CLIENT, OUTSIDE, SERVER, Tape, Tcp, noise

SCANNER_LISTS = (
    "diffie-hellman-group1-sha1",
    "ssh-rsa",
    "3des-cbc",
    "3des-cbc",
    "hmac-md5",
    "hmac-md5",
    "none",
    "none",
    "",
    "",
)
ORDINARY_LISTS = (
    "curve25519-sha256",
    "ssh-ed25519",
    "chacha20-poly1305@openssh.com",
    "chacha20-poly1305@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-256",
    "none",
    "none",
    "",
    "",
)


def ssh_packet(code: int, payload: bytes) -> bytes:
    """RFC 4253 section 6: length, padding length, message, padding."""
    padding = 8 - (len(payload) + 6) % 8 + 4
    return struct.pack(">IBB", len(payload) + 2 + padding, padding, code) + payload + b"\0" * padding


def key_exchange_init(lists: tuple[str, ...]) -> bytes:
    names = b"".join(struct.pack(">I", len(name)) + name.encode() for name in lists)
    return ssh_packet(20, noise("cookie", 16) + names + b"\0" * 5)


def ssh(software: str, lists: tuple[str, ...]) -> Tape:
    tape = Tape()
    talk = Tcp(tape, OUTSIDE, SERVER, (43022, 22)).open()
    talk.say(f"SSH-2.0-{software}\r\n".encode())
    talk.hear(b"SSH-2.0-OpenSSH_9.9\r\n")
    talk.say(key_exchange_init(lists))
    talk.hear(key_exchange_init(ORDINARY_LISTS))
    talk.say(ssh_packet(30, noise("client key", 36)))
    talk.hear(ssh_packet(31, noise("server key", 180)) + ssh_packet(21, b""))
    talk.say(ssh_packet(21, b""))
    talk.say(noise("encrypted", 100))
    talk.hear(noise("encrypted answer", 100))
    talk.close()
    return tape


def vnc(result: int, tries: int = 1) -> Tape:
    """RFC 6143: version 3.8, VNC authentication."""
    tape = Tape()
    for attempt in range(tries):
        talk = Tcp(tape, OUTSIDE, SERVER, (45900 + attempt, 5900)).open()
        talk.hear(b"RFB 003.008\n")
        talk.say(b"RFB 003.008\n")
        talk.hear(b"\x02\x02\x10")
        talk.say(b"\x02")
        talk.hear(noise(f"challenge {attempt}", 16))
        talk.say(noise(f"response {attempt}", 16))
        if result:
            talk.hear(struct.pack(">II", result, 21) + b"Authentication failed")
        else:
            talk.hear(struct.pack(">I", 0))
            talk.say(b"\x01")
            screen = struct.pack(">HHBBBBHHHBBB3x", 1280, 800, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
            talk.hear(screen + struct.pack(">I", 9) + b"front-pc1")
        talk.close()
    return tape


def tpkt(data: bytes) -> bytes:
    return b"\x03\0" + struct.pack(">H", len(data) + 4) + data


def rdp_negotiation(answer: bytes) -> Tape:
    """[MS-RDPBCGR] 2.2.1.1: the client offers TLS and CredSSP."""
    tape = Tape()
    talk = Tcp(tape, CLIENT, SERVER, (44389, 3389)).open()
    request = b"\xe0\0\0\0\0\0Cookie: mstshash=lan.tran\r\n\x01\0\x08\0\x03\0\0\0"
    talk.say(tpkt(bytes([len(request)]) + request))
    body = b"\xd0\0\0\x12\x34\0" + answer
    talk.hear(tpkt(bytes([len(body)]) + body))
    talk.close()
    return tape


SDP = (
    "v=0\r\no=lan 1 1 IN IP4 10.20.0.15\r\ns=call\r\nc=IN IP4 10.20.0.15\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)


def sip(request: str, agent: str, status: str, body: str = "") -> Tape:
    tape = Tape()
    method = request.split(" ")[0]
    common = (
        f"Via: SIP/2.0/UDP {OUTSIDE}:5060;branch=z9hG4bK-1\r\nFrom: <sip:lan@example.com>;tag=1\r\n"
        f"To: <sip:100@example.com>\r\nCall-ID: 1@{OUTSIDE}\r\nCSeq: 1 {method}\r\n"
    )
    kind = "Content-Type: application/sdp\r\n" if body else ""
    asked = f"{request}\r\n{common}User-Agent: {agent}\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}"
    tape.udp(OUTSIDE, SERVER, (5060, 5060), asked.encode())
    tape.udp(SERVER, OUTSIDE, (5060, 5060), f"SIP/2.0 {status}\r\n{common}Content-Length: 0\r\n\r\n".encode())
    return tape


def typed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


def postgresql(query: bytes, rows: tuple[bytes, ...]) -> Tape:
    """Protocol version 3: start-up, a password, one simple query."""
    tape = Tape()
    talk = Tcp(tape, OUTSIDE, SERVER, (45432, 5432)).open()
    start = struct.pack(">I", 0x30000) + b"user\0shop\0database\0shop\0\0"
    talk.say(struct.pack(">I", len(start) + 4) + start)
    talk.hear(typed(b"R", struct.pack(">I", 3)))
    talk.say(typed(b"p", b"example\0"))
    ready = typed(b"Z", b"I")
    parameters = typed(b"S", b"server_version\0" + b"16.1\0") + typed(b"K", struct.pack(">II", 781, 12345))
    talk.hear(typed(b"R", struct.pack(">I", 0)) + parameters + ready)
    talk.say(typed(b"Q", query + b"\0"))
    column = typed(b"T", struct.pack(">H", 1) + b"c\0" + b"\0" * 18)
    data = b"".join(typed(b"D", struct.pack(">HI", 1, len(row)) + row) for row in rows)
    talk.hear(column + data + typed(b"C", b"SELECT %d\0" % len(rows)) + ready)
    talk.say(typed(b"X", b""))
    talk.close()
    return tape


CAPTURES: dict[str, tuple[str, Callable[[], Tape]]] = {
    "ssh-old-algorithms.pcap": (
        "a client that offers only group 1, 3DES and MD5",
        lambda: ssh("scanner", SCANNER_LISTS),
    ),
    "ssh-key-exchange.pcap": (
        "a whole key exchange with today's algorithms",
        lambda: ssh("OpenSSH_9.9", ORDINARY_LISTS),
    ),
    "vnc-guessing.pcap": ("five failed VNC authentications", lambda: vnc(1, 5)),
    "vnc-session.pcap": ("a VNC authentication that succeeds", lambda: vnc(0)),
    "rdp-without-tls.pcap": (
        "a server that chooses RDP's own security, though TLS is offered",
        lambda: rdp_negotiation(b"\x02\0\x08\0\0\0\0\0"),
    ),
    "rdp-hybrid.pcap": (
        "the same with a server that chooses CredSSP",
        lambda: rdp_negotiation(b"\x02\x1f\x08\0\x02\0\0\0"),
    ),
    "sip-scanner.pcap": (
        "an OPTIONS request of a scanner",
        lambda: sip("OPTIONS sip:100@10.20.0.80 SIP/2.0", "friendly-scanner", "200 OK"),
    ),
    "sip-call.pcap": (
        "an INVITE with a session description",
        lambda: sip("INVITE sip:100@example.com SIP/2.0", "desk phone", "180 Ringing", SDP),
    ),
    "postgresql-file-read.pcap": (
        "a query that reads a file of the server",
        lambda: postgresql(b"SELECT pg_read_file('/etc/passwd');", (b"root:x:0:0",)),
    ),
    "postgresql-query.pcap": (
        "an ordinary query with three rows",
        lambda: postgresql(b"SELECT name FROM files;", (b"a", b"b", b"read_file")),
    ),
}
