"""Proofs that pass between sensor and centre about keys: HMACs under a shared secret, and double signatures
(docs/spec/bus.md, "Enrolment" and "Rotation"). Nothing here talks or keeps.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidSignature

from sensor.bus.keys import SensorKeys, SensorPublic

_ED25519_BYTES = 64


def proof(key: bytes, step: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA256 of a step of the exchange; every part is preceded by its length, so that none can run into
    the next.
    """
    mac = hmac.new(key, b"haidang enrol " + step, hashlib.sha256)
    for part in parts:
        mac.update(len(part).to_bytes(4, "big") + part)
    return mac.digest()


def statement(sensor: str, old: SensorPublic, new: SensorPublic) -> bytes:
    """What both pairs of signing keys sign."""
    fingerprints = bytes.fromhex(old.fingerprint) + bytes.fromhex(new.fingerprint)
    return b"haidang rotate\0" + fingerprints + sensor.encode()


def sign(keys: SensorKeys, said: bytes) -> bytes:
    """Ed25519 ‖ ML-DSA-65."""
    ed25519, mldsa65 = keys.signers()
    return ed25519.sign(said) + mldsa65.sign(said)


def is_signed(public: SensorPublic, signatures: bytes, said: bytes) -> bool:
    """Whether both signatures hold."""
    try:
        ed25519, mldsa65 = public.verifiers()
        ed25519.verify(signatures[:_ED25519_BYTES], said)
        mldsa65.verify(signatures[_ED25519_BYTES:], said)
    except (InvalidSignature, ValueError):
        return False
    return True
