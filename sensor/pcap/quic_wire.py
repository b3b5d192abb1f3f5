"""QUIC Initial packets (RFC 9000, 9001): what anyone can decrypt, for its key is made of what it shows."""

from __future__ import annotations

_DRAFTS = (0xFF000000, 0xFACEB000)
_VERSIONS = (0x00000001, 0x6B3343CF)


def initial_body(data: bytes) -> int | None:
    """Where the protected part of a datagram that begins with an Initial packet begins; None for others."""
    if len(data) < 7 or data[0] & 0xC0 != 0xC0:
        return None
    version = int.from_bytes(data[1:5], "big")
    if version not in _VERSIONS and version & 0xFFFFFF00 not in _DRAFTS:
        return None
    if data[0] >> 4 & 3 != (1 if version == _VERSIONS[1] else 0):
        return None
    at = 5
    for _ in range(2):  # the connection ids
        if at >= len(data):
            return None
        at += 1 + data[at]
    token, at = _varint(data, at)
    _, at = _varint(data, at + token)
    return at if at < len(data) else None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        return 0, len(data)
    size = 1 << (data[at] >> 6)
    value = int.from_bytes(data[at : at + size], "big") & (1 << 8 * size - 2) - 1
    return value, at + size
