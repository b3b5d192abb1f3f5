"""How the content of a sealed batch is encrypted, to one centre (suite 1) or to several (suite 2), after
docs/spec/bus.md, "Sealed batch".

Suite 1 is HPKE (RFC 9180, base mode) of the content. Suite 2 encrypts the content once, with AES-256-GCM
under a key made for this one record, and that key by HPKE to each recipient. Both bind every byte before the
ciphertext. Who signed the content, and what it is, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from sensor.bus.keys import KEY_ID_BYTES, CentrePublic

SUITE_1 = 1
"""HPKE base mode, KEM MLKEM768-X25519, HKDF-SHA256, AES-256-GCM; Ed25519 and ML-DSA-65; zstd."""
SUITE_2 = 2
"""The same to several recipients: AES-256-GCM under a key of its own, which is sealed as in suite 1."""

MAX_RECIPIENTS = 8  # a sensor's collectors; each costs 1,176 bytes of every record
WRAPPED_BYTES = 1120 + 32 + 16  # encapsulated key, key, tag
_DOMAIN = b"haidang seal\0"
_KEY_BYTES = 32
_NONCE = bytes(12)  # the key encrypts one content and no other


class Recipient(NamedTuple):
    """One centre that is to open a record."""

    id: bytes
    key: MLKEM768X25519PublicKey

    @classmethod
    def of(cls, centre: CentrePublic) -> Recipient:
        """ValueError when the centre's bytes are no key."""
        return cls(centre.recipient, centre.sealing_key())


class NotForUs(Exception):
    """No key of the ring belongs to a recipient of this record."""


def further(recipients: Sequence[bytes]) -> bytes:
    """What stands after the header of suite 2: how many recipients there are, and the ids of all but the
    first.
    """
    return bytes((len(recipients),)) + b"".join(recipients[1:])


def read_further(first: bytes, rest: bytes) -> tuple[tuple[bytes, ...], int]:
    """(ids of all recipients, bytes read) of what stands after the header of suite 2. ValueError for what is
    none.
    """
    count = rest[0] if rest else 0
    end = 1 + (count - 1) * KEY_ID_BYTES
    if not 1 <= count <= MAX_RECIPIENTS or len(rest) <= end + count * WRAPPED_BYTES:
        raise ValueError("its recipients do not fit")
    ids = [rest[at : at + KEY_ID_BYTES] for at in range(1, end, KEY_ID_BYTES)]
    return (first, *ids), end


def encrypt(suite: int, prefix: bytes, content: bytes, recipients: Sequence[Recipient]) -> bytes:
    """What follows the prefix. Suite 1 takes one recipient, suite 2 up to MAX_RECIPIENTS."""
    info = _DOMAIN + prefix
    if suite == SUITE_1:
        (recipient,) = recipients
        return _hpke().encrypt(content, recipient.key, info=info)
    key = AESGCM.generate_key(8 * _KEY_BYTES)
    wrapped = [_hpke().encrypt(key, recipient.key, info=info) for recipient in recipients]
    return b"".join(wrapped) + AESGCM(key).encrypt(_NONCE, content, info)


def decrypt(
    suite: int,
    prefix: bytes,
    recipients: Sequence[bytes],
    sealed: bytes,
    keyring: Mapping[bytes, MLKEM768X25519PrivateKey],
) -> bytes:
    """The content. NotForUs; ValueError when it does not open: damaged or forged."""
    info = _DOMAIN + prefix
    place = next((at for at, recipient in enumerate(recipients) if recipient in keyring), None)
    if place is None:
        raise NotForUs
    own = keyring[recipients[place]]
    try:
        if suite == SUITE_1:
            return _hpke().decrypt(sealed, own, info=info)
        at = place * WRAPPED_BYTES
        key = _hpke().decrypt(sealed[at : at + WRAPPED_BYTES], own, info=info)
        if len(key) != _KEY_BYTES:
            raise ValueError("a key of another size")
        return AESGCM(key).decrypt(_NONCE, sealed[len(recipients) * WRAPPED_BYTES :], info)
    except (InvalidTag, ValueError) as error:
        raise ValueError("does not open: damaged or forged") from error


def _hpke() -> Suite:
    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
