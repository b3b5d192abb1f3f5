"""A centre's journal as the source of an export: sealed anew to the receiver, through the policy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from collectors.relay.backlog import Backlog
from collectors.relay.policy import Policy
from collectors.relay.sealing import Forwarder, Withheld
from sensor.bus import messages
from sensor.bus.exporting import Item, Span
from sensor.bus.keys import CentrePublic, SensorKeys, SensorPublic
from sensor.bus.layout import POLICY
from sensor.bus.records import DamagedRecord, Record
from sensor.bus.seal import Opener, SealError
from sensor.bus.segments import BATCH, MESSAGE

log = logging.getLogger("haidang.export")

_PAGE = 500
_MAX_KEYS = 16  # of one sensor in a message


class JournalSource:
    """A centre's journal towards another centre. The centre may be running."""

    def __init__(
        self,
        name: str,
        keys: SensorKeys,
        opener: Opener,
        to: CentrePublic,
        policy: Policy,
        backlog: Backlog,
        keys_of: Callable[[str], list[SensorPublic]],
        path_of: Callable[[str], list[bytes]] = lambda _sensor: [],
    ) -> None:
        self.name = name
        self.keys = keys
        self.recipient = to.recipient
        self.meaning = policy.id
        self.damaged = 0
        self.withheld = 0
        self._forwarder = Forwarder(opener, keys, to, policy)
        self._backlog = backlog
        self._keys_of = keys_of
        self._path_of = path_of

    def items(self, cursor: Sequence[int], span: Span) -> Iterator[Item]:
        """Cursor: the last record and the last stated loss. Each segment introduces the sensors in it."""
        record, gap = cursor or (0, 0)
        introduced: set[str] = set()
        while page := self._backlog.losses(gap, _PAGE):
            for loss in page:
                gap = loss.id
                if _within(loss.noted_us, span):
                    place = messages.Place(loss.sensor, loss.epoch, loss.lane, loss.first, loss.last)
                    yield _lost(place, loss.events, loss.reason, [record, gap])
        while entries := self._backlog.entries(record, _PAGE):
            for entry in entries:
                record = entry.id
                if not _within(entry.added_us, span):
                    continue
                if entry.sensor not in introduced and (keys := self._keys_of(entry.sensor)):
                    introduced.add(entry.sensor)
                    path = [*self._path_of(entry.sensor), self._forwarder.signer]
                    origin = messages.Origin(0, entry.sensor, keys[:_MAX_KEYS], path)
                    yield Item(MESSAGE, messages.encode(origin), 0, [record - 1, gap])
                yield from self._forward(entry.id, [record, gap])

    def _forward(self, number: int, cursor: list[int]) -> Iterator[Item]:
        try:
            found: Record | None = self._backlog.record(number)
            if found is None:
                return
            ready = self._forwarder.forward(found)
        except (DamagedRecord, SealError) as error:
            self.damaged += 1
            log.warning("record %d is left out: %s", number, error)
            return
        if isinstance(ready, Withheld):
            self.withheld += ready.events
            place = messages.Place(found.sensor, found.epoch, found.lane, found.seq, found.seq)
            yield _lost(place, ready.events, POLICY, cursor)
        else:
            self.withheld += ready.withheld
            yield Item(BATCH, ready.record, found.events - ready.withheld, cursor)


def _lost(place: messages.Place, events: int, reason: str, cursor: list[int]) -> Item:
    lost = messages.Lost(0, place.lane, place.first, place.last, events, reason[:64], place)
    return Item(MESSAGE, messages.encode(lost), 0, cursor)


def _within(moment_us: int, span: Span) -> bool:
    return span.since_us <= moment_us and not 0 < span.until_us <= moment_us
