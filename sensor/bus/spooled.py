"""What a sensor's spool holds, as the source of an export: batches as they are, for the collectors they are
sealed to already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sensor.bus import lanes, messages
from sensor.bus.enrol import Enrolment
from sensor.bus.exporting import Item, Span
from sensor.bus.keys import CentrePublic, SensorKeys
from sensor.bus.records import COLUMNS, DamagedRecord, as_record, open_beside
from sensor.bus.seal import SealError, read_envelope
from sensor.bus.segments import BATCH, MESSAGE
from sensor.bus.spool import SPOOL_FILE, Spool


class SpooledSource:
    """A sensor's spool towards one of its collectors. Another process may be using the spool."""

    def __init__(self, directory: Path, keys: SensorKeys, enrolment: Enrolment, to: CentrePublic) -> None:
        """UserError when there is no spool, or it is damaged."""
        self.name = enrolment.sensor
        self.keys = keys
        self.recipient = to.recipient
        spool = Spool(directory / SPOOL_FILE, enrolment.sensor)
        self._epoch = spool.epoch
        spool.close()
        self.meaning = self._epoch.to_bytes(8, "big")
        self.skipped = 0
        self._database = open_beside(directory / SPOOL_FILE)

    def close(self) -> None:
        self._database.close()

    def items(self, cursor: Sequence[int], span: Span) -> Iterator[Item]:
        """Cursor: the next number of each lane. Batches for other recipients are counted in `skipped`."""
        at = list(cursor) or [0] * lanes.COUNT
        for lane in range(lanes.COUNT):
            yield from self._holes(lane, at)
            while True:
                row = self._database.execute(
                    f"SELECT {COLUMNS} FROM record WHERE sensor = ? AND epoch = ? AND lane = ? AND seq >= ? "
                    "ORDER BY seq LIMIT 1",
                    (self.name, self._epoch, lane, at[lane]),
                ).fetchone()
                if row is None:
                    break
                at[lane] = row[4] + 1
                try:
                    record = as_record(row)
                    envelope = read_envelope(record.sealed)
                except (DamagedRecord, SealError):
                    self.skipped += 1
                    continue
                if not span.since_us <= record.added_us or 0 < span.until_us <= record.added_us:
                    continue
                if self.recipient not in envelope.recipients:
                    self.skipped += 1
                    continue
                self._lease(lane, record.seq)
                yield Item(BATCH, record.sealed, record.events, list(at))

    def _holes(self, lane: int, at: list[int]) -> Iterator[Item]:
        rows = self._database.execute(
            "SELECT first, last, events, reason FROM hole WHERE lane = ? AND last >= ? ORDER BY first",
            (lane, at[lane]),
        ).fetchall()
        for first, last, events, reason in rows:
            place = messages.Place(self.name, self._epoch, lane, first, last)
            lost = messages.Lost(0, lane, first, last, events, reason, place)
            yield Item(MESSAGE, messages.encode(lost), 0, list(at))

    def _lease(self, lane: int, seq: int) -> None:
        """What is on a stick may be at the centre: it is not shed any more."""
        self._database.execute(
            "UPDATE lane SET leased = ? WHERE lane = ? AND leased <= ?", (seq + 1, lane, seq)
        )
