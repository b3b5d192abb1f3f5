"""A journaled batch made ready for another centre: whole with its sensor's signatures, or reduced and signed
by this one (docs/adr/0008).
"""

from __future__ import annotations

from typing import NamedTuple

from collectors.relay.policy import Policy
from sensor.bus.encryption import Recipient
from sensor.bus.keys import CentrePublic, SensorKeys
from sensor.bus.records import Record
from sensor.bus.seal import (
    MAX_NDJSON_BYTES,
    MAX_RELAYS,
    Header,
    Opened,
    Opener,
    ReducedHeader,
    Reduction,
    Sealer,
    SealError,
    Step,
    read_envelope,
)


class Ready(NamedTuple):
    """A record sealed to the other centre, and how many events the policy took out of it."""

    record: bytes
    withheld: int


class Withheld(NamedTuple):
    """The policy leaves nothing of this batch."""

    events: int


class Forwarder:
    """Seals this centre's batches to another one, through a policy."""

    def __init__(self, opener: Opener, keys: SensorKeys, to: CentrePublic, policy: Policy) -> None:
        self._opener = opener
        self._keys = keys
        self._policy = policy
        self.turn_to(to)

    @property
    def signer(self) -> bytes:
        """The id of the key that reduced batches are signed with."""
        return self._sealer.signer

    def _reduction(self, opened: Opened) -> Reduction:
        """Of a batch that comes whole from its sensor, or was signed by a relay before."""
        before = opened.reduction
        if before is None:
            return Reduction(opened.digest, opened.header.events, self._policy.id)
        steps = (*before.steps, Step(opened.header.signer, opened.header.events, before.policy))
        if self.signer in [step.signer for step in steps]:
            raise SealError("loop", "has passed this relay before")
        if len(steps) >= MAX_RELAYS:
            raise SealError("origin", f"has passed {len(steps)} relays")
        return Reduction(before.original, before.events, self._policy.id, steps)

    def turn_to(self, to: CentrePublic) -> None:
        """Seal to these keys from now on."""
        self._recipient = Recipient.of(to)
        self._sealer = Sealer(self._keys, to)

    def forward(self, record: Record) -> Ready | Withheld:
        """SealError when the record does not open here, or has passed too many relays or this one before."""
        if self._policy.allows_all and not isinstance(read_envelope(record.sealed).header, ReducedHeader):
            return Ready(self._opener.reseal(record.sealed, self._recipient), 0)
        opened = self._opener.read_verified(record.sealed)
        left = self._policy.apply(opened.ndjson, opened.header.events)
        if left.whole and opened.reduction is None:
            return Ready(self._opener.reseal(record.sealed, self._recipient), 0)
        if not left.events:
            return Withheld(opened.header.events)
        if len(left.ndjson) > MAX_NDJSON_BYTES:  # what was written anew is a little longer, at worst
            raise SealError("content", "does not fit a batch any more")
        given = {name: getattr(opened.header, name) for name in Header.__struct_fields__}
        given |= {"events": left.events, "signer": self._sealer.signer}
        header = ReducedHeader(**given, reduction=self._reduction(opened))
        return Ready(self._sealer.seal(header, left.ndjson).record, opened.header.events - left.events)
