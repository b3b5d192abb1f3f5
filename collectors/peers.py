"""What the registry says of those who may speak to a centre."""

from __future__ import annotations

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

Verifiers = dict[bytes, tuple[Ed25519PublicKey, MLDSA65PublicKey]]
"""Signing keys by their id."""


class Peer(NamedTuple):
    """A sensor that may deliver: its name and the keys its batches may be signed with, by id.

    relay: None for a sensor; else it brings other sensors' batches, whose names match one of these patterns
    (none: any name).
    """

    sensor: str
    verifiers: Verifiers
    relay: tuple[str, ...] | None = None


class TokenRow(NamedTuple):
    curve: str
    proof_key: bytes
    sensor: str
    expires: int
    used_by: str | None


class SensorRow(NamedTuple):
    sensor: str
    fingerprint: str
    added: int
    revoked: int | None


class KeyRow(NamedTuple):
    """A key of a sensor. Times in seconds since 1970. ends: when a replaced key stops being honoured, if
    its successor was used yet.
    """

    sensor: str
    fingerprint: str
    added: int
    revoked: int | None
    first_used: int | None
    last_used: int | None
    is_replaced: bool
    ends: int | None

    def state(self, now: int) -> str:
        """active, replaced (still honoured), ended or revoked."""
        if self.revoked is not None:
            return "revoked"
        if not self.is_replaced:
            return "active"
        return "ended" if self.ends is not None and self.ends <= now else "replaced"
