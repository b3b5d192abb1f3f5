"""A centre's new hybrid key on its way to the sensors (docs/spec/bus.md, "Rotation").

A sensor believes it without a token, and not for CURVE's sake, which a quantum computer may break one day:
the centre proves that it owns the hybrid key the sensor knows by opening a secret that was sealed to it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, Suite

from sensor.bus import messages
from sensor.bus.keys import CentrePublic
from sensor.bus.proofs import proof

_RENEW_DOMAIN = b"haidang renew\0"


class Renewal:
    """The sensor's side of a centre's new key: asks when a welcome names another key than the sensor knows,
    believes what is proven.
    """

    def __init__(self, sensor: str, centre: CentrePublic, keep: Callable[[CentrePublic, str], None]) -> None:
        """keep: makes the new keys durable, and the address when it is not ''; OSError when it cannot."""
        self._sensor = sensor
        self.moved: messages.Moved | None = None
        self._centre = centre
        self._keep = keep
        self._secret = b""
        self.renewed = 0
        self.refused = 0

    def welcomed(self, recipient: bytes | None, curve: str | None = None) -> messages.Renew | None:
        """What to ask after a welcome, if anything."""
        known = self._centre
        if recipient in (None, known.recipient) and curve in (None, known.curve):
            return None
        self._secret = secrets.token_bytes(32)
        info = _RENEW_DOMAIN + self._sensor.encode()
        sealed = _suite().encrypt(self._secret, known.sealing_key(), info=info)
        return messages.Renew(known.recipient, sealed)

    def receive(self, message: messages.Renewed) -> bool:
        """Take the answer; whether it was proven. OSError when it cannot be kept."""
        secret, self._secret = self._secret, b""
        expected = _proof(secret, self._sensor, self._centre, message.keys) if secret else b""
        if not hmac.compare_digest(expected, message.proof):
            self.refused += 1
            return False
        moved = message.moved
        if moved is not None and hmac.compare_digest(
            _moved_proof(secret, self._sensor, self._centre, moved.curve, moved.address), moved.proof
        ):
            self.moved = moved  # once it is seen to be served there
        if message.keys != self._centre:
            self._keep(message.keys, "")
            self._centre = message.keys
            self.renewed += 1
        return True

    def settle(self) -> messages.Moved:
        """The centre is served where it said it has moved to: it is known by that key from now on. OSError
        when that cannot be kept, and it stays where it was.
        """
        moved = self.moved
        if moved is None:
            raise ValueError("the centre has not moved")
        centre = msgspec.structs.replace(self._centre, curve=moved.curve)
        self._keep(centre, moved.address)
        self._centre, self.moved = centre, None
        self.renewed += 1
        return moved


def prove(
    message: messages.Renew,
    sensor: str,
    key: MLKEM768X25519PrivateKey,
    old: CentrePublic,
    new: CentrePublic,
    moved_to: tuple[str, str] | None = None,
) -> messages.Renewed | None:
    """The centre's answer to a sensor that knows `old`, made with its secret key; None when the challenge
    does not open. moved_to: the CURVE key and the address to turn to, if they are others.
    """
    try:
        secret = _suite().decrypt(message.challenge, key, info=_RENEW_DOMAIN + sensor.encode())
    except (InvalidTag, ValueError):
        return None
    moved = None
    if moved_to is not None:
        moved = messages.Moved(*moved_to, _moved_proof(secret, sensor, old, *moved_to))
    return messages.Renewed(new, _proof(secret, sensor, old, new), moved)


def _moved_proof(secret: bytes, sensor: str, old: CentrePublic, curve: str, address: str) -> bytes:
    fingerprint = bytes.fromhex(old.fingerprint)
    return proof(secret, b"moved", sensor.encode(), fingerprint, curve.encode(), address.encode())


def _proof(secret: bytes, sensor: str, old: CentrePublic, new: CentrePublic) -> bytes:
    return proof(
        secret, b"renew", sensor.encode(), bytes.fromhex(old.fingerprint), bytes.fromhex(new.fingerprint)
    )


def _suite() -> Suite:
    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
