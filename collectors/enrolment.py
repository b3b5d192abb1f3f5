"""The centre's side of an enrolment (docs/spec/bus.md, "Enrolment"). A connection made with a token's key
may say this and nothing else.
"""

from __future__ import annotations

import hmac
import secrets
import time
from typing import NamedTuple

from collectors.registry import Registry
from sensor.bus import messages
from sensor.bus.keys import CentrePublic, SensorPublic
from sensor.bus.proofs import proof

_OPEN_SECONDS = 60.0  # between request and confirmation
_MAX_OPEN = 256


class _Open(NamedTuple):
    sensor: str
    keys: SensorPublic
    confirmation: bytes
    until: float


class Enroller:
    """Answers the messages of token holders. `curve` is the key that the connection was made with."""

    def __init__(self, registry: Registry, centre: CentrePublic) -> None:
        self._registry = registry
        self._centre = centre
        self._open: dict[str, _Open] = {}
        self.refused = 0
        self.enrolled = 0

    def renew(self, centre: CentrePublic) -> None:
        """Offer these keys from now on. Tokens that name the old ones are void: their holders refuse."""
        self._centre = centre

    def answer(self, curve: str, message: messages.AnyMessage) -> messages.AnyMessage:
        """The reply to one message of a token's holder."""
        reply = self._answer(curve, message)
        if isinstance(reply, messages.EnrolRefused):
            self.refused += 1
        return reply

    def _answer(self, curve: str, message: messages.AnyMessage) -> messages.AnyMessage:
        token = self._registry.token(curve)
        if token is None:
            return messages.EnrolRefused("the token is unknown or has expired")
        now = time.monotonic()
        if isinstance(message, messages.EnrolRequest):
            name = message.sensor
            theirs = bytes.fromhex(message.keys.fingerprint)
            expected = proof(token.proof_key, b"request", name.encode(), theirs, message.nonce)
            if not hmac.compare_digest(expected, message.proof):
                return messages.EnrolRefused("the proof does not hold")
            if token.sensor not in ("", name):
                return messages.EnrolRefused(f"this token is for {token.sensor}")
            try:
                message.keys.verifiers()
            except ValueError:
                return messages.EnrolRefused("these are no keys")
            mine = bytes.fromhex(self._centre.fingerprint)
            nonce = secrets.token_bytes(32)
            parts = (name.encode(), theirs, message.nonce, mine, nonce)
            self._open = {key: entry for key, entry in self._open.items() if entry.until > now}
            if len(self._open) >= _MAX_OPEN:
                return messages.EnrolRefused("too many enrolments at once, try again in a minute")
            confirmation = proof(token.proof_key, b"confirm", *parts)
            self._open[curve] = _Open(name, message.keys, confirmation, now + _OPEN_SECONDS)
            return messages.EnrolOffer(self._centre, nonce, proof(token.proof_key, b"offer", *parts))
        if isinstance(message, messages.EnrolConfirm):
            entry = self._open.pop(curve, None)
            if (
                entry is None
                or entry.until < now
                or not hmac.compare_digest(entry.confirmation, message.proof)
            ):
                return messages.EnrolRefused("the confirmation does not hold")
            refusal = self._registry.enrol(token, entry.sensor, entry.keys)
            if refusal:
                return messages.EnrolRefused(refusal)
            self.enrolled += 1
            return messages.EnrolDone(entry.sensor)
        return messages.EnrolRefused("a token only enrols")
