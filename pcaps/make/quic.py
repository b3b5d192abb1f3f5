"""QUIC version 1: a client's Initial packet, under keys that anybody can derive (RFC 9001 section 5.2)."""

import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from .tls import X25519, client_hello, number, vector
from .wire import CLIENT, OUTSIDE, Tape, noise

SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
DATAGRAM_BYTES = 1200  # the least a client may send (RFC 9000 section 14.1)


def expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446 section 7.1)."""
    return HKDFExpand(SHA256(), size, number(size, 2) + vector(b"tls13 " + label, 1) + b"\0").derive(secret)


def initial(destination: bytes, source: bytes, frames: bytes, packet_number: int = 0) -> bytes:
    """A client's Initial packet in a datagram of `DATAGRAM_BYTES`."""
    secret = expand(hmac.digest(SALT, destination, "sha256"), b"client in", 32)
    key, iv, hide = (
        expand(secret, b"quic " + label, size) for label, size in ((b"key", 16), (b"iv", 12), (b"hp", 16))
    )
    head = b"\xc3\0\0\0\x01" + vector(destination, 1) + vector(source, 1) + b"\0"
    text = frames.ljust(DATAGRAM_BYTES - len(head) - 2 - 4 - 16, b"\0")
    head += number(0x4000 | 4 + len(text) + 16, 2) + number(packet_number, 4)
    nonce = (int.from_bytes(iv, "big") ^ packet_number).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(nonce, text, head)
    # One block, as RFC 9001 section 5.4.3 says: the mode adds nothing.
    mask = Cipher(algorithms.AES(hide), modes.ECB()).encryptor().update(sealed[:16])  # noqa: S305
    hidden = bytes(plain ^ m for plain, m in zip(head[-4:], mask[1:5], strict=True))
    return bytes([head[0] ^ mask[0] & 0x0F]) + head[1:-4] + hidden + sealed


def hello() -> Tape:
    """One ClientHello in a CRYPTO frame, then what looks like the protected rest."""
    tape = Tape()
    message = client_hello("www.example.com", alpn=("h3",), shares={X25519: 32})
    frame = b"\x06\0" + number(0x4000 | len(message), 2) + message
    tape.udp(
        CLIENT, OUTSIDE, (40443, 443), initial(noise("quic destination", 8), noise("quic source", 8), frame)
    )
    tape.udp(OUTSIDE, CLIENT, (443, 40443), b"\x40" + noise("quic server", 400))
    tape.udp(CLIENT, OUTSIDE, (40443, 443), b"\x40" + noise("quic client", 200))
    return tape


CAPTURES = {"quic-hello.pcap": ("a QUIC client that names its server in the first packet", hello)}
