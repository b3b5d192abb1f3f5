"""TLS handshakes, byte by byte: versions, names, certificates and client fingerprints.

No key exchange takes place: keys, signatures and encrypted records are noise, which looks alike from outside.
Certificates are real X.509, signed with an Ed25519 key derived in the open, so their bytes never change.
"""

import datetime
from collections.abc import Callable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from .wire import CLIENT, OUTSIDE, Tape, Tcp, noise

TLS10, TLS12, TLS13 = 0x0301, 0x0303, 0x0304
HANDSHAKE, CHANGE_CIPHER, ALERT, APPLICATION = 22, 20, 21, 23

BROWSER_CIPHERS = (0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8)
BEACON_CIPHERS = (
    0xC02F,
    0x009C,
    0x0035,
    0x0005,
)  # fixed, short and with RC4: the fingerprint of a home-made client
RSA_CIPHER = 0x0035  # TLS_RSA_WITH_AES_256_CBC_SHA
P256, X25519, X25519MLKEM768 = 0x0017, 0x001D, 0x11EC  # groups


def number(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


def vector(data: bytes, size: int) -> bytes:
    """Data with its length in `size` bytes before it (RFC 8446 section 3.4)."""
    return number(len(data), size) + data


def record(kind: int, data: bytes, version: int = TLS12) -> bytes:
    return number(kind, 1) + number(version, 2) + vector(data, 2)


def message(kind: int, data: bytes) -> bytes:
    return number(kind, 1) + vector(data, 3)


def extension(kind: int, data: bytes) -> bytes:
    return number(kind, 2) + vector(data, 2)


def client_hello(
    name: str | None,
    *,
    ciphers: Sequence[int] = BROWSER_CIPHERS,
    alpn: Sequence[str] = ("h2", "http/1.1"),
    groups: Sequence[int] = (X25519, P256),
    shares: dict[int, int] | None = None,
    version: int = TLS12,
) -> bytes:
    """A ClientHello message. `shares` maps a group to its key share's length and makes it offer TLS 1.3."""
    extensions = b""
    if name is not None:
        extensions += extension(0, vector(b"\0" + vector(name.encode(), 2), 2))
    extensions += extension(10, vector(b"".join(number(group, 2) for group in groups), 2))
    extensions += extension(11, b"\x01\x00")
    extensions += extension(13, vector(bytes.fromhex("040308040401"), 2))
    if alpn:
        extensions += extension(16, vector(b"".join(vector(word.encode(), 1) for word in alpn), 2))
    if shares:
        keys = b"".join(
            number(group, 2) + vector(noise(f"share {group}", size), 2) for group, size in shares.items()
        )
        extensions += extension(43, vector(number(TLS13, 2) + number(TLS12, 2), 1))
        extensions += extension(51, vector(keys, 2))
    body = number(version, 2) + noise(f"client random {name}", 32) + vector(noise("session", 32), 1)
    body += vector(b"".join(number(cipher, 2) for cipher in ciphers), 2) + b"\x01\x00"
    return message(1, body + vector(extensions, 2))


def server_hello(cipher: int, *, tls13: bool = False, version: int = TLS12) -> bytes:
    extensions = extension(0xFF01, b"\0")
    if tls13:
        share = number(X25519, 2) + vector(noise("server share", 32), 2)
        extensions = extension(43, number(TLS13, 2)) + extension(51, share)
    body = number(version, 2) + noise("server random", 32) + vector(noise("session", 32), 1)
    return message(2, body + number(cipher, 2) + b"\0" + vector(extensions, 2))


def certificate(
    subject: dict[x509.ObjectIdentifier, str],
    *,
    issuer: dict[x509.ObjectIdentifier, str] | None = None,
    first: tuple[int, int, int] = (2026, 1, 1),
    last: tuple[int, int, int] = (2027, 1, 1),
    serial: int = 0x1D0C,
    names: Sequence[str] = (),
) -> bytes:
    """A DER certificate, self-signed unless an issuer is given; `names` become DNS alternative names."""
    key = Ed25519PrivateKey.from_private_bytes(noise("certificate key", 32))

    def name(parts: dict[x509.ObjectIdentifier, str]) -> x509.Name:
        return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts.items()])

    builder = x509.CertificateBuilder(
        issuer_name=name(issuer or subject),
        subject_name=name(subject),
        public_key=key.public_key(),
        serial_number=serial,
        not_valid_before=datetime.datetime(*first),
        not_valid_after=datetime.datetime(*last),
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), False
        )
    return builder.sign(key, None).public_bytes(Encoding.DER)


def handshake12(
    name: str | None,
    der: Sequence[bytes],
    *,
    ciphers: Sequence[int] = BROWSER_CIPHERS,
    alpn: Sequence[str] = ("http/1.1",),
    cipher: int = 0xC02F,
    version: int = TLS12,
    tape: Tape | None = None,
    ports: tuple[int, int] = (40443, 443),
) -> Tape:
    """A whole TLS 1.2 (or older) connection to a server on the Internet that shows `der` as its chain."""
    tape = tape or Tape()
    talk = Tcp(tape, CLIENT, OUTSIDE, ports).open()
    hello = client_hello(name, ciphers=ciphers, alpn=alpn, version=version)
    talk.say(record(HANDSHAKE, hello, TLS10))
    chain = message(11, vector(b"".join(vector(one, 3) for one in der), 3))
    flight = [server_hello(cipher, version=version), chain]
    if cipher != RSA_CIPHER:  # key transport by RSA has no ServerKeyExchange
        signature = b"\x08\x07" + vector(noise("signature", 64), 2)
        flight.append(message(12, b"\x03\0\x1d" + vector(noise("point", 32), 1) + signature))
    flight.append(message(14, b""))
    talk.hear(b"".join(record(HANDSHAKE, one, version) for one in flight))
    secret = vector(noise("secret", 256), 2) if cipher == RSA_CIPHER else vector(noise("point", 32), 1)
    talk.say(
        record(HANDSHAKE, message(16, secret), version)
        + record(CHANGE_CIPHER, b"\x01", version)
        + record(HANDSHAKE, noise("client finished", 40), version)
    )
    talk.hear(record(CHANGE_CIPHER, b"\x01", version) + record(HANDSHAKE, noise("finished", 40), version))
    talk.say(record(APPLICATION, noise("request", 120), version))
    talk.hear(record(APPLICATION, noise("response", 700), version))
    talk.close()
    return tape


CN, ORG, COUNTRY = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.COUNTRY_NAME
AUTHORITY = {COUNTRY: "VN", ORG: "Example Trust", CN: "Example Issuing CA"}
GOOD = certificate({COUNTRY: "VN", ORG: "Example Ltd", CN: "www.example.com"}, issuer=AUTHORITY)


def good() -> Tape:
    root = certificate(AUTHORITY, last=(2036, 1, 1), serial=1)
    return handshake12("www.example.com", [GOOD, root])


def self_signed() -> Tape:
    return handshake12("device.example.org", [certificate({ORG: "Default Company Ltd", CN: "localhost"})])


def expired() -> Tape:
    old = certificate({CN: "old.example.org"}, issuer=AUTHORITY, first=(2023, 1, 1), last=(2024, 1, 1))
    return handshake12("old.example.org", [old])


def old_version() -> Tape:
    return handshake12("legacy.example.org", [GOOD], version=TLS10, cipher=RSA_CIPHER, alpn=())


def beacon() -> Tape:
    """A home-made client of a control server: short cipher list, listed name, tell-tale certificate."""
    der = certificate({CN: "c2-lab.test", ORG: "Beacon Lab"}, serial=0x0BADC0DE0BADC0DE)
    return handshake12("cdn.c2-lab.test", [der], ciphers=BEACON_CIPHERS, alpn=())


def beacon_without_name() -> Tape:
    der = certificate({CN: "c2-lab.test", ORG: "Beacon Lab"}, serial=0x0BADC0DE0BADC0DE)
    return handshake12(None, [der], alpn=(), ports=(40444, 8443))


def near_beacon() -> Tape:
    """Names that contain the listed ones, another serial, another cipher list."""
    der = certificate(
        {CN: "c2-lab.test.example.org", ORG: "Beacon Laboratory"},
        issuer=AUTHORITY,
        serial=0xBADC0DE,
        names=("c2-lab.test.example.org", "notc2-lab.test"),
    )
    return handshake12("notc2-lab.test", [der], ciphers=(*BEACON_CIPHERS, 0x002F), alpn=())


def alternative_name() -> Tape:
    """A harmless subject, and a listed name among the alternative ones."""
    names = ("shop.example.org", "www.c2-lab.test")
    return handshake12("shop.example.org", [certificate({CN: names[0]}, issuer=AUTHORITY, names=names)])


def dns_over_tls() -> Tape:
    return handshake12("dns.example.net", [GOOD], alpn=("dot",), ports=(40853, 853))


def post_quantum() -> Tape:
    """The hybrid key share makes the ClientHello 1.7 kB: it comes in three segments, the middle one last."""
    tape = Tape()
    talk = Tcp(tape, CLIENT, OUTSIDE, (40443, 443)).open()
    hello = client_hello(
        "pq.example.com",
        groups=(X25519MLKEM768, X25519, P256),
        shares={X25519MLKEM768: 1216, X25519: 32},
    )
    data = record(HANDSHAKE, hello, TLS10)
    first, middle, last = data[:100], data[100:900], data[900:]
    talk.put(True, "A", first)
    start = talk.client_seq
    tape.put(talk.segment(True, "PA", last, seq=start + len(middle)))
    tape.put(talk.segment(True, "A", middle))
    talk.advance(True, len(middle) + len(last))
    talk.put(False, "A")
    flight = record(HANDSHAKE, server_hello(0x1301, tls13=True)) + record(CHANGE_CIPHER, b"\x01")
    talk.hear(flight + record(APPLICATION, noise("encrypted extensions", 900)))
    talk.say(record(CHANGE_CIPHER, b"\x01") + record(APPLICATION, noise("client finished 13", 53)))
    talk.hear(record(APPLICATION, noise("page", 400)))
    talk.close()
    return tape


def tls13() -> Tape:
    tape = Tape()
    talk = Tcp(tape, CLIENT, OUTSIDE, (40443, 443)).open()
    hello = client_hello("www.example.com", shares={X25519: 32})
    talk.say(record(HANDSHAKE, hello, TLS10))
    talk.hear(record(HANDSHAKE, server_hello(0x1301, tls13=True)) + record(APPLICATION, noise("rest", 500)))
    talk.say(record(APPLICATION, noise("client rest", 90)))
    talk.close()
    return tape


def refused() -> Tape:
    """The server answers the ClientHello with a fatal handshake_failure alert."""
    tape = Tape()
    talk = Tcp(tape, CLIENT, OUTSIDE, (40443, 443)).open()
    talk.say(record(HANDSHAKE, client_hello("strict.example.com"), TLS10))
    talk.hear(record(ALERT, b"\x02\x28"))
    talk.abort()
    return tape


CAPTURES: dict[str, tuple[str, Callable[[], Tape]]] = {
    "tls-12.pcap": ("TLS 1.2 with a chain of two certificates", good),
    "tls-13.pcap": ("TLS 1.3 with an X25519 share", tls13),
    "tls-13-post-quantum.pcap": ("a hybrid ML-KEM ClientHello in three segments out of order", post_quantum),
    "tls-self-signed.pcap": ("TLS 1.2 with a default self-signed certificate for localhost", self_signed),
    "tls-expired.pcap": ("TLS 1.2 with a certificate that expired two years before", expired),
    "tls-old-version.pcap": ("TLS 1.0", old_version),
    "tls-beacon.pcap": ("listed server name, tell-tale certificate, unusual client fingerprint", beacon),
    "tls-beacon-no-name.pcap": ("the same certificate without a server name, port 8443", beacon_without_name),
    "tls-near-beacon.pcap": ("names, serial and ciphers that resemble the beacon's", near_beacon),
    "tls-alternative-name.pcap": (
        "a listed name among the certificate's alternative names",
        alternative_name,
    ),
    "tls-dns.pcap": ("DNS over TLS to a resolver outside, port 853, ALPN dot", dns_over_tls),
    "tls-refused.pcap": ("a fatal handshake_failure alert", refused),
}
