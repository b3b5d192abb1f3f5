"""A centre's new hybrid key on its way to the sensors (docs/spec/bus.md, "Rotation").

A sensor believes it without a token, and not for CURVE's sake, which a quantum computer may break one day:
the centre proves that it owns the hybrid key the sensor knows by opening a secret that was sealed to it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

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

    def __init__(self, sensor: str, centre: CentrePublic, keep: Callable[[CentrePublic], None]) -> None:
        """keep: makes the new keys durable; OSError when it cannot."""
        self._sensor = sensor
        self._centre = centre
        self._keep = keep
        self._secret = b""
        self.renewed = 0
        self.refused = 0

    def welcomed(self, recipient: bytes | None) -> messages.Renew | None:
        """What to ask after a welcome, if anything."""
        known = self._centre
        if recipient is None or recipient == known.recipient:
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
        self._keep(message.keys)
        self._centre = message.keys
        self.renewed += 1
        return True


def prove(
    message: messages.Renew, sensor: str, key: MLKEM768X25519PrivateKey, old: CentrePublic, new: CentrePublic
) -> messages.Renewed | None:
    """The centre's answer to a sensor that knows `old`, made with its secret key; None when the challenge
    does not open.
    """
    try:
        secret = _suite().decrypt(message.challenge, key, info=_RENEW_DOMAIN + sensor.encode())
    except (InvalidTag, ValueError):
        return None
    return messages.Renewed(new, _proof(secret, sensor, old, new))


def _proof(secret: bytes, sensor: str, old: CentrePublic, new: CentrePublic) -> bytes:
    return proof(
        secret, b"renew", sensor.encode(), bytes.fromhex(old.fingerprint), bytes.fromhex(new.fingerprint)
    )


def _suite() -> Suite:
    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
