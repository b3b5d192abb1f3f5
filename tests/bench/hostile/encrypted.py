"""What stands before encryption: TLS, QUIC and IKE in crumbs."""

from __future__ import annotations

import hmac
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from .wire import Packet, Registry, Talk, timed, udp


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


def _vector(data: bytes, size: int) -> bytes:
    return len(data).to_bytes(size, "big") + data


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446 section 7.1)."""
    info = struct.pack(">H", size) + _vector(b"tls13 " + label, 1) + b"\0"
    return HKDFExpand(hashes.SHA256(), size, info).derive(secret)


class _Initials:
    """Initial packets of QUIC version 1 under the keys of one connection id (RFC 9001 section 5)."""

    def __init__(self, connection: bytes) -> None:
        salt = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
        self.connection = connection
        initial = hmac.digest(salt, connection, "sha256")
        secret = _expand(initial, b"client in", 32)
        self.packet = AESGCM(_expand(secret, b"quic key", 16))
        self.iv = int.from_bytes(_expand(secret, b"quic iv", 12), "big")
        self.mask = Cipher(algorithms.AES(_expand(secret, b"quic hp", 16)), modes.ECB()).encryptor()

    def seal(self, number: int, frames: bytes) -> bytes:
        """One packet with these frames, padded as RFC 9000 section 14.1 asks."""
        text = frames.ljust(1150, b"\0")
        head = b"\xc3\0\0\0\x01" + _vector(self.connection, 1) + b"\0\0"
        head += struct.pack(">H", 0x4000 | 4 + len(text) + 16)
        nonce = (self.iv ^ number).to_bytes(12, "big")
        plain = head + struct.pack(">I", number)
        sealed = self.packet.encrypt(nonce, text, plain)
        mask = self.mask.update(sealed[:16])
        hidden = bytes(a ^ b for a, b in zip(plain[-4:], mask[1:5], strict=True))
        return bytes([plain[0] ^ mask[0] & 0xF]) + plain[1:-4] + hidden + sealed


def _crypto(offset: int, data: bytes) -> bytes:
    return b"\x06" + struct.pack(">I", 0x8000_0000 | offset) + _vector(data, 1)


def quic_crypto_pieces(n: int) -> list[Packet]:
    """A hello of 60,000 bytes in CRYPTO frames of one byte, backwards, over and over."""
    made = _Initials(b"8 bytes.")
    frames = []
    for i in range(n // 100):
        pieces = b"".join(_crypto(59_999 - (i * 100 + k) % 60_000, b"x") for k in range(100))
        frames.append(udp(40_000, 443, made.seal(i, pieces)))
    return timed(frames)


def quic_crypto_holes(n: int) -> list[Packet]:
    """CRYPTO frames with a hole behind each: they never join."""
    made = _Initials(b"8 bytes.")
    frames = []
    for i in range(n // 100):
        pieces = b"".join(_crypto((i * 100 + k) * 2 % 60_000, b"x") for k in range(100))
        frames.append(udp(40_000, 443, made.seal(i, pieces)))
    return timed(frames)


def quic_initials(n: int) -> list[Packet]:
    """Initials that each bring a new connection id."""
    frames = []
    for i in range(n):
        made = _Initials(struct.pack(">Q", i))
        frames.append(udp(1024 + i % 60_000, 443, made.seal(0, _crypto(0, b"\x01\0\x40\0"))))
    return timed(frames)


def quic_handshakes(n: int) -> list[Packet]:
    """Packets of a handshake that nobody can read, thirty to a datagram."""
    packet = b"\xe0\0\0\0\x01\x08connect.\0" + b"\x10" + bytes(16)
    return timed([udp(40_000, 443, packet * 30) for _ in range(n // 30)])


def ike_exchanges(n: int) -> list[Packet]:
    """IKE_SA_INIT requests of one flow, each with a proposal of thirty transforms."""

    def payload(following: int, content: bytes) -> bytes:
        return bytes([following, 0]) + struct.pack(">H", 4 + len(content)) + content

    inner = b"".join(payload(0 if k == 29 else 3, b"\x01\0" + struct.pack(">H", k)) for k in range(30))
    body = payload(0, payload(0, b"\x01\x01\0\x1e" + inner))
    tail = b"\x21\x20\x22\x08" + bytes(4) + struct.pack(">I", 28 + len(body)) + body
    return timed([udp(500, 500, struct.pack(">QQ", i + 1, 0) + tail) for i in range(n)])


GENERATORS: Registry = {
    "tls-tiny-records": (tls_tiny_records, 200),
    "tls-application-records": (tls_application_records, 200),
    "quic-crypto-pieces": (quic_crypto_pieces, 1250),
    "quic-crypto-holes": (quic_crypto_holes, 1250),
    "quic-initials": (quic_initials, 50),
    "quic-handshakes": (quic_handshakes, 900),
    "ike-exchanges": (ike_exchanges, 200),
}
