"""The relay's side of the journal: which records wait for the nation, under which number of the relay's own,
and the books.

No second copy of a batch: an item is a number and the id of a record, which is opened, passed through the
policy and sealed to the nation when it is sent. Everything here can be made again from the journal and the
nation's memory, so a commit need not reach the disk: what a loss of power takes back is sent again.

The books, per lane and in events, close: made = delivered + withheld + pending + sum(lost).
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from collectors.relay import ledger
from collectors.relay.backlog import Backlog
from collectors.relay.sealing import Forwarder, Withheld
from sensor.bus import lanes
from sensor.bus.keys import SensorPublic
from sensor.bus.layout import POLICY, Hole
from sensor.bus.messages import MAX_SIGHTINGS, Book, Place, Sighting, Span
from sensor.bus.records import DamagedRecord, Record, open_database, transaction
from sensor.bus.seal import SealError
from sensor.bus.session import Told

PUT_OFF = "put off"
QUOTA = "quota"
_GATHER_ITEMS = 2000
_SIGHTED_US = 86_400_000_000  # who was silent for longer is not spoken of


class Outbox:
    """What a relay still has to deliver. Two threads: one gathers, one is the link's; every method takes the
    lock.
    """

    def __init__(
        self,
        path: Path,
        relay: str,
        backlog: Backlog,
        forwarder: Forwarder,
        keys_of: Callable[[str], list[SensorPublic]],
        path_of: Callable[[str], list[bytes]] = lambda _sensor: [],
    ) -> None:
        """path_of: the relays that brought a sensor here, by the ids of their signing keys."""
        self.sensor = relay
        self._backlog = backlog
        self._forwarder = forwarder
        self._keys_of = keys_of
        self._path_of = path_of
        self._lock = threading.RLock()
        self._barred: set[str] = set()
        self._held = -1
        self._sighted = 0
        self._made: dict[int, tuple[int, Record | Told]] = {}  # the last item of each lane, sealed
        self._database = open_database(
            path, ledger.SCHEMA, application=ledger.APPLICATION, version=ledger.VERSION
        )
        self._database.execute("PRAGMA synchronous=NORMAL")
        with self._transaction():
            for key, value in (("epoch", secrets.randbits(63)), ("record", 0), ("gap", 0)):
                self._database.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, value))
            self._database.executemany(
                "INSERT OR IGNORE INTO lane (lane) VALUES (?)", [(lane,) for lane in range(lanes.COUNT)]
            )
        self.epoch = self._meta("epoch")

    def close(self) -> None:
        with self._lock:
            self._database.close()

    # What the gathering thread does.

    def gather(self) -> int:
        """Give numbers to what came into the journal; how many items that made (call again unless 0)."""
        with self._lock:
            entries = self._backlog.entries(self._meta("record"), _GATHER_ITEMS)
            losses = self._backlog.losses(self._meta("gap"), _GATHER_ITEMS)
            if not entries and not losses:
                return 0
            with self._transaction():
                for entry in entries:
                    if entry.sensor in self._barred:
                        self._defer(entry.id, entry.lane, entry.sensor, entry.events, entry.added_us)
                    else:
                        self._add(entry.lane, entry.id, None, entry.sensor, entry.events, entry.added_us)
                for loss in losses:
                    self._add(loss.lane, None, loss.id, loss.sensor, 0, loss.noted_us)
                if entries:
                    self._set_meta("record", entries[-1].id)
                if losses:
                    self._set_meta("gap", losses[-1].id)
        return len(entries) + len(losses)

    def retry(self) -> int:
        """Give new numbers to what was put off; how many batches that is."""
        with self._transaction():
            self._barred.clear()
            rows = self._database.execute(
                "DELETE FROM later RETURNING record, lane, sensor, events, added_us"
            ).fetchall()
            for record, lane, sensor, events, added_us in sorted(rows):
                self._add(lane, record, None, sensor, 0, added_us)
                # Its events are pending already.
                self._database.execute(
                    "UPDATE item SET events = ? WHERE lane = ? AND seq = (SELECT next - 1 FROM lane WHERE "
                    "lane = ?)",
                    (events, lane, lane),
                )
        return len(rows)

    def hold(self, quota_bytes: int) -> None:
        """Tell the journal what is still needed of it, up to this size in all."""
        with self._lock:
            if (mark := self._needed_after()) != self._held:
                self._backlog.hold(mark, quota_bytes)
                self._held = mark

    def _needed_after(self) -> int:
        """Records up to this id are delivered, or lost for good."""
        with self._lock:
            first = self._one(
                "SELECT min(record) FROM (SELECT min(record) AS record FROM item WHERE record IS NOT NULL "
                "UNION ALL SELECT min(record) FROM later)"
            )[0]
            return self._meta("record") if first is None else int(first) - 1

    def renumber(self) -> None:
        """Begin a new epoch: the nation holds more of this one than is known here, which was put back from a
        copy.
        """
        with self._transaction():
            self._made.clear()
            self.epoch = secrets.randbits(63)
            self._set_meta("epoch", self.epoch)
            for lane in range(lanes.COUNT):
                # Numbers only move down, so none meets one that is still taken.
                rows = self._database.execute("SELECT seq FROM item WHERE lane = ? ORDER BY seq", (lane,))
                numbers = [row[0] for row in rows.fetchall()]
                self._database.executemany(
                    "UPDATE item SET seq = ? WHERE lane = ? AND seq = ?",
                    [(place, lane, seq) for place, seq in enumerate(numbers)],
                )
                self._database.execute("UPDATE lane SET next = ? WHERE lane = ?", (len(numbers), lane))

    # What the session asks.

    def spans(self) -> list[Span]:
        with self._lock:
            rows = self._database.execute(
                "SELECT lane, coalesce((SELECT min(seq) FROM item WHERE item.lane = lane.lane), next), next "
                "FROM lane ORDER BY lane"
            ).fetchall()
        return [Span(*row) for row in rows]

    def next_item(self, lane: int, seq: int) -> Record | Hole | Told | None:
        with self._lock:
            made = self._made.get(lane)
            if made is not None and made[0] == seq:
                return made[1]
            row = self._database.execute(
                "SELECT seq, record, gap, events, withheld, fate FROM item WHERE lane = ? AND seq >= ? "
                "ORDER BY seq LIMIT 1",
                (lane, seq),
            ).fetchone()
            if row is None or row[0] > seq:
                end = self._one("SELECT next FROM lane WHERE lane = ?", lane)[0] if row is None else row[0]
                return Hole(lane, seq, end - 1, 0, "missing") if seq < end else None
            record, gap, events, withheld, fate = row[1:]
            if fate:
                return Hole(lane, seq, seq, 0 if fate == PUT_OFF else events, fate)
            if record is None:
                return self._told_loss(lane, seq, gap)
            try:
                return self._forward(lane, seq, record, events, withheld)
            except DamagedRecord:
                fate = "damaged"
            except SealError as error:
                fate = f"unreadable: {error.reason}"
            except LookupError:
                fate = QUOTA
            self._set_fate(lane, seq, fate)
            return Hole(lane, seq, seq, events, fate)

    def acknowledge(self, lane: int, following: int) -> int:
        with self._transaction():
            rows = self._database.execute(
                "DELETE FROM item WHERE lane = ? AND seq < ? RETURNING events, withheld, fate, record",
                (lane, following),
            ).fetchall()
            if not rows:
                return 0
            delivered = withheld = pending = 0
            for events, kept_back, fate, record in rows:
                if fate == PUT_OFF or record is None:
                    continue
                pending += events
                if fate:
                    self._lose(lane, fate, events)
                else:
                    delivered, withheld = delivered + events - kept_back, withheld + kept_back
            self._database.execute(
                "UPDATE lane SET delivered = delivered + ?, withheld = withheld + ?, pending = pending - ? "
                "WHERE lane = ?",
                (delivered, withheld, pending, lane),
            )
        return delivered

    def drop(self, lane: int, seq: int, reason: str) -> None:
        """Give up one batch: its number becomes a hole."""
        with self._lock:
            self._made.pop(lane, None)
            self._set_fate(lane, seq, reason)

    def introduction(self, sensor: str) -> list[SensorPublic]:
        return self._keys_of(sensor)

    def path(self, sensor: str) -> list[bytes]:
        return [*self._path_of(sensor), self._forwarder.signer]

    def sightings(self) -> list[Sighting]:
        """The next of the sensors that this centre hears, or is told of."""
        with self._lock:
            now_us = time.time_ns() // 1000
            heard = self._backlog.sightings(now_us - _SIGHTED_US)
            begin = self._sighted if self._sighted < len(heard) else 0
            self._sighted = begin + MAX_SIGHTINGS
        return [
            Sighting(one.sensor, max(0, now_us - one.heard_us) // 1000, one.skew_us, one.bound_us)
            for one in heard[begin : begin + MAX_SIGHTINGS]
        ]

    def put_off(self, lane: int, seq: int) -> None:
        """The nation does not take this batch's sensor: all of its batches wait until `retry`."""
        with self._transaction():
            row = self._database.execute(
                "SELECT sensor FROM item WHERE lane = ? AND seq = ?", (lane, seq)
            ).fetchone()
            if row is None:
                return
            self._made.clear()
            self._barred.add(row[0])
            self._database.execute(
                "INSERT OR IGNORE INTO later SELECT record, lane, sensor, events, added_us FROM item "
                "WHERE sensor = ? AND record IS NOT NULL AND fate = ''",
                row,
            )
            self._database.execute(
                "UPDATE item SET fate = ? WHERE sensor = ? AND record IS NOT NULL AND fate = ''",
                (PUT_OFF, *row),
            )

    def books(self) -> list[Book]:
        """As the bus counts: what the policy kept back stands under the reason `policy`."""
        with self._lock:
            return ledger.books(self._database)

    def states(self) -> list[ledger.State]:
        """What waits, by lane."""
        with self._lock:
            return ledger.states(self._database)

    # The inside.

    def _forward(self, lane: int, seq: int, record: int, events: int, withheld: int) -> Record | Told:
        """The batch as the nation gets it. LookupError when the journal has dropped it."""
        found = self._backlog.record(record)
        if found is None:
            raise LookupError
        sealed = self._forwarder.forward(found)
        if isinstance(sealed, Withheld):
            place = Place(found.sensor, found.epoch, found.lane, found.seq, found.seq)
            item: Record | Told = Told(lane, seq, seq, events, POLICY, place)
            kept_back = events
        else:
            item, kept_back = found._replace(lane=lane, seq=seq, sealed=sealed.record), sealed.withheld
        if kept_back != withheld:
            with self._transaction():
                self._database.execute(
                    "UPDATE item SET withheld = ? WHERE lane = ? AND seq = ?", (kept_back, lane, seq)
                )
        self._made[lane] = (seq, item)
        return item

    def _told_loss(self, lane: int, seq: int, gap: int) -> Hole | Told:
        loss = self._backlog.loss(gap)
        if loss is None:
            return Hole(lane, seq, seq, 0, "missing")
        place = Place(loss.sensor, loss.epoch, loss.lane, loss.first, loss.last)
        return Told(lane, seq, seq, loss.events, loss.reason[:64], place)

    def _add(
        self, lane: int, record: int | None, gap: int | None, sensor: str, events: int, added_us: int
    ) -> None:
        self._database.execute(
            "INSERT INTO item (lane, seq, record, gap, sensor, events, added_us) "
            "SELECT lane, next, ?, ?, ?, ?, ? FROM lane WHERE lane = ?",
            (record, gap, sensor, events, added_us, lane),
        )
        self._database.execute(
            "UPDATE lane SET next = next + 1, pending = pending + ? WHERE lane = ?", (events, lane)
        )

    def _defer(self, record: int, lane: int, sensor: str, events: int, added_us: int) -> None:
        self._database.execute(
            "INSERT OR IGNORE INTO later VALUES (?, ?, ?, ?, ?)", (record, lane, sensor, events, added_us)
        )
        self._database.execute("UPDATE lane SET pending = pending + ? WHERE lane = ?", (events, lane))

    def _set_fate(self, lane: int, seq: int, fate: str) -> None:
        with self._transaction():
            self._database.execute(
                "UPDATE item SET fate = ?, withheld = 0 WHERE lane = ? AND seq = ?", (fate[:64], lane, seq)
            )

    def _lose(self, lane: int, reason: str, events: int) -> None:
        self._database.execute(
            "INSERT INTO loss VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events",
            (lane, reason, events),
        )

    def _meta(self, key: str) -> int:
        return int(self._one("SELECT value FROM meta WHERE key = ?", key)[0])

    def _set_meta(self, key: str, value: int) -> None:
        self._database.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))

    def _one(self, query: str, *parameters: object) -> tuple[Any, ...]:
        row: tuple[Any, ...] = self._database.execute(query, parameters).fetchone()
        return row

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, transaction(self._database):
            yield
