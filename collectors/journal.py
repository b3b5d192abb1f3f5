"""The journal: every batch the centre acknowledged, sealed as it came, with where every stream of batches
stands.

The spool's records again (sensor.bus.records), in order of arrival. One durable transaction takes a group of
batches, holes and refusals; only then are they acknowledged. The store is filled from here through an
intent: a group of records is named durably before it is inserted, so that after a crash the same group, and
no other, is inserted again. It never opens a batch.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from collectors import pulses, seen, sightings
from collectors.entries import Entry, Heard, Kept, Measured, Proven, Stream
from collectors.keeping import Keeper
from collectors.outlets import cursors
from collectors.quality import facts as measures
from sensor.bus.records import COLUMNS, RECORDS, Record, as_record, open_database, transaction

_APPLICATION = 0x48444A4E  # "HDJN"
_VERSION = 1
_SCHEMA = f"""
{RECORDS};
CREATE TABLE stream (
  sensor TEXT, epoch INTEGER, lane INTEGER,
  next   INTEGER NOT NULL,  -- the number that must come next
  digest BLOB NOT NULL,     -- of the last batch; empty after a hole, when it is not known
  events INTEGER NOT NULL, lost INTEGER NOT NULL, changed_us INTEGER NOT NULL,
  PRIMARY KEY (sensor, epoch, lane)
) WITHOUT ROWID;
CREATE TABLE gap (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sensor TEXT, epoch INTEGER, lane INTEGER, first INTEGER, last INTEGER, events INTEGER, reason TEXT,
  noted_us INTEGER
);
CREATE INDEX gap_by_place ON gap (sensor, epoch, lane, first);
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY AUTOINCREMENT, sensor TEXT, reason TEXT, noted_us INTEGER, bytes BLOB
);
CREATE TABLE heard (
  sensor TEXT PRIMARY KEY, heard_us INTEGER NOT NULL, skew_us INTEGER NOT NULL,
  books TEXT NOT NULL, software TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE filled (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  upto INTEGER NOT NULL,      -- records up to this id are in the store
  intent INTEGER              -- the group upto+1..intent is being inserted, or NULL
);
INSERT INTO filled VALUES (1, 0, NULL)
"""
_PRUNE_RECORDS = 2000  # dropped in one transaction, so that an acknowledgement never waits long for it


class Journal:
    """The centre's journal. Safe for several threads; one of them receives, another fills the store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._grown = threading.Event()
        self._database = open_database(path, _SCHEMA, application=_APPLICATION, version=_VERSION)
        pulses.create_tables(self._database)
        sightings.create_tables(self._database)
        seen.create_tables(self._database)
        measures.create_tables(self._database)
        cursors.create_tables(self._database)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def streams(self, sensor: str, epoch: int) -> dict[int, Stream]:
        """Where the lanes of this epoch stand."""
        with self._lock:
            rows = self._database.execute(
                "SELECT lane, next, digest FROM stream WHERE sensor = ? AND epoch = ?", (sensor, epoch)
            ).fetchall()
        return {lane: Stream(following, digest) for lane, following, digest in rows}

    def is_new_epoch(self, sensor: str, epoch: int) -> bool:
        """Whether this sensor was heard before, and never with this epoch."""
        with self._lock:
            query = "SELECT max(epoch = ?), count(*) FROM stream WHERE sensor = ?"
            known, streams = self._one(query, epoch, sensor)
        return bool(streams and not known)

    def commit(self, entries: Sequence[Entry]) -> Kept:
        """Keep all of these, durably, in this order; what was new. sqlite3.Error: nothing of it was kept."""
        with self._transaction():
            keeper = Keeper(self._database, time.time_ns() // 1000)
            for entry in entries:
                keeper.take(entry)
            kept = keeper.finish()
        if kept.batches:
            self._grown.set()
        return kept

    # What the filler does.

    def wait(self, seconds: float) -> None:
        """Until this process has kept a batch since the last call, or so long. For one thread."""
        self._grown.wait(seconds)
        self._grown.clear()

    def intent(self) -> tuple[int, int | None]:
        """(the last record in the store, the last record of the group being inserted or None)."""
        with self._lock:
            upto, intent = self._one("SELECT upto, intent FROM filled")
        return upto, intent

    def next_group(self, after: int, *, max_events: int, max_bytes: int) -> list[int]:
        """Ids of the next records to insert together: one day of receipt, within these bounds, at least one
        if there is one.
        """
        with self._lock:
            rows = self._database.execute(
                "SELECT id, events, size, added_us FROM record WHERE id > ? ORDER BY id LIMIT ?",
                (after, max_events),
            )
            group: list[int] = []
            events = size = day = 0
            for number, count, stored, added_us in rows:
                events, size = events + count, size + stored
                if group and (events > max_events or size > max_bytes or added_us // 86_400_000_000 != day):
                    break
                day = added_us // 86_400_000_000
                group.append(number)
        return group

    def set_intent(self, last: int) -> None:
        """The group that ends with this record is about to be inserted."""
        with self._transaction():
            self._database.execute("UPDATE filled SET intent = ?", (last,))

    def set_filled(self, last: int, measured: Sequence[Measured] = ()) -> None:
        """Records up to this one are in the store; what was measured of them on the way."""
        with self._transaction():
            for entry in measured:
                measures.add(self._database, *entry)
            self._database.execute("UPDATE filled SET upto = ?, intent = NULL", (last,))

    def refill(self) -> None:
        """Fill the store from the journal's beginning again (the store was emptied)."""
        with self._transaction():
            self._database.execute("UPDATE filled SET upto = 0, intent = NULL")

    def read(self, after: int, last: int) -> Iterator[Record]:
        """Records after < id <= last, in order. DamagedRecord for one whose bytes changed."""
        while after < last:
            with self._lock:
                row = self._database.execute(
                    f"SELECT {COLUMNS} FROM record WHERE id > ? AND id <= ? ORDER BY id LIMIT 1",
                    (after, last),
                ).fetchone()
            if row is None:
                return
            after = row[0]
            yield as_record(row)

    def is_whole(self) -> bool:
        """Whether no record was ever dropped."""
        with self._lock:
            first, count, last = self._one(
                "SELECT coalesce(min(id), 1), count(*), coalesce(max(id), 0) FROM record"
            )
        return bool(first == 1 and count == last)

    def last_id(self) -> int:
        with self._lock:
            return int(self._one("SELECT coalesce(max(id), 0) FROM record")[0])

    def first_after(self, after: int) -> int | None:
        """The first record there is after this one."""
        with self._lock:
            found: int | None = self._one("SELECT min(id) FROM record WHERE id > ?", after)[0]
        return found

    def prune(self, keep_bytes: int, outlet_bytes: int = 0) -> int:
        """Drop the oldest filled records beyond this size; returns how many (call again while it is
        not 0). What the relay has not delivered stays as well until its own quota is reached, and what an
        outlet has not had until `outlet_bytes`; beyond that it is counted as missed.
        """
        with self._transaction():
            size, upto = self._one("SELECT (SELECT coalesce(sum(size), 0) FROM record), upto FROM filled")
            held = cursors.held(self._database)
            if held is not None and size <= outlet_bytes:
                upto = min(upto, held)
            if size <= keep_bytes:
                return 0
            hold = self._database.execute("SELECT upto, quota_bytes FROM hold").fetchone()
            delivered, quota_bytes = hold or (upto, 0)
            doomed = 0
            for number, stored in self._database.execute(
                "SELECT id, size FROM record WHERE id <= ? ORDER BY id LIMIT ?", (upto, _PRUNE_RECORDS)
            ):
                if size <= (keep_bytes if number <= delivered else max(keep_bytes, quota_bytes)):
                    break
                size, doomed = size - stored, number
            cursors.miss(self._database, doomed)
            return self._database.execute("DELETE FROM record WHERE id <= ?", (doomed,)).rowcount

    def oldest_unfilled_us(self) -> int | None:
        """When the oldest batch that is not in the store was received; None when all are."""
        with self._lock:
            row = self._database.execute(
                "SELECT added_us FROM record WHERE id > (SELECT upto FROM filled) ORDER BY id LIMIT 1"
            ).fetchone()
        return None if row is None else int(row[0])

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One durable step of a neighbour that keeps tables here (outlets, quality)."""
        with self._transaction():
            yield self._database

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The database to a neighbour that only reads."""
        with self._lock:
            yield self._database

    # What people ask.

    def totals(self) -> list[tuple[str, int, int, int, int, int]]:
        """(sensor, lane, batches, events, events lost, last change in µs) over all epochs."""
        with self._lock:
            return self._database.execute(
                "SELECT sensor, lane, sum(next), sum(events), sum(lost), max(changed_us) FROM stream "
                "GROUP BY 1, 2 ORDER BY 1, 2"
            ).fetchall()

    def heard(self) -> list[Heard]:
        with self._lock:
            return [Heard(*row) for row in self._database.execute("SELECT * FROM heard ORDER BY sensor")]

    def proven(self) -> list[Proven]:
        """Every sensor that ever spoke of heartbeats."""
        with self._lock:
            return pulses.read(self._database)

    def expect_no_heartbeat(self, sensor: str) -> None:
        """This sensor was revoked, or left: that it is silent is as it should be."""
        with self._transaction():
            pulses.forget(self._database, sensor)

    def gaps(self) -> list[tuple[str, int, str, int, int]]:
        """(sensor, lane, reason, how many gaps, events lost)."""
        with self._lock:
            return self._database.execute(
                "SELECT sensor, lane, reason, count(*), sum(events) FROM gap GROUP BY 1, 2, 3 ORDER BY "
                "1, 2, 3"
            ).fetchall()

    def quarantined(self) -> list[tuple[str, str, int]]:
        """(sensor, reason, how many are kept)."""
        with self._lock:
            return self._database.execute(
                "SELECT sensor, reason, count(*) FROM quarantine GROUP BY 1, 2 ORDER BY 1, 2"
            ).fetchall()

    def sealed_to(self) -> dict[str, int]:
        """Batches by the id, in hex, of the key they are sealed to. It reads every record's first page."""
        with self._lock:
            rows = self._database.execute(
                "SELECT lower(hex(substr(sealed, 6, 8))), count(*) FROM record GROUP BY 1"
            ).fetchall()
        return dict(rows)

    def backlog(self) -> tuple[int, int]:
        """(records, events) that are not in the store yet."""
        with self._lock:
            batches, events = self._one(
                "SELECT count(*), coalesce(sum(events), 0) FROM record WHERE id > (SELECT upto FROM filled)"
            )
        return batches, events

    # The inside.

    def _one(self, query: str, *parameters: object) -> tuple[Any, ...]:
        row: tuple[Any, ...] = self._database.execute(query, parameters).fetchone()
        return row

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, transaction(self._database):
            yield
