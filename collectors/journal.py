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

from collectors import pulses, seen
from collectors.entries import (
    Beat,
    Entry,
    Gap,
    Heard,
    Kept,
    Measured,
    NewRecord,
    Proven,
    Quarantined,
    Relayed,
    Stream,
    Told,
)
from collectors.outlets import cursors
from collectors.quality import facts as measures
from sensor.bus.layout import POLICY
from sensor.bus.records import COLUMNS, RECORDS, Record, add_record, as_record, open_database, transaction

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
MAX_QUARANTINED_BYTES = 64 * 1024  # of each; with the number below 64 MB in all
_QUARANTINE_ENTRIES = 1000  # the newest: evidence for people, bounded against who sends nothing else
_PRUNE_RECORDS = 2000  # dropped in one transaction, so that an acknowledgement never waits long for it


class Journal:
    """The centre's journal. Safe for several threads; one of them receives, another fills the store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._added = Kept(0, 0)
        self._grown = threading.Event()
        self._database = open_database(path, _SCHEMA, application=_APPLICATION, version=_VERSION)
        pulses.create_tables(self._database)
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
        now_us = time.time_ns() // 1000
        with self._transaction():
            before = self._added
            for entry in entries:
                match entry:
                    case NewRecord():
                        self._keep(entry, now_us)
                    case Gap():
                        self._note_gap(entry, now_us)
                    case Relayed():
                        self._keep_relayed(entry, now_us)
                    case Quarantined():
                        self._quarantine(entry, now_us)
                    case Heard():
                        self._database.execute("INSERT OR REPLACE INTO heard VALUES (?, ?, ?, ?, ?)", entry)
                    case Beat():
                        pulses.note(self._database, entry)
                    case Told():
                        pulses.tell(self._database, entry)
                    case Measured():
                        measures.add(self._database, *entry)
            kept = Kept(self._added.batches - before.batches, self._added.events - before.events)
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

    def _keep(self, entry: NewRecord, now_us: int) -> None:
        kept = self._add(entry, now_us)
        events = entry.events if kept else 0
        self._advance(entry.sensor, entry.epoch, entry.lane, entry.seq + 1, entry.digest, events, 0, now_us)

    def _keep_relayed(self, entry: Relayed, now_us: int) -> None:
        what = entry.what
        if isinstance(what, Gap):
            if self._insert_gap(what, now_us):
                reason = "withheld" if what.reason == POLICY else "lost"
                seen.count(self._database, what.sensor, entry.via, now_us, **{reason: what.events})
        elif self._add(what, now_us):
            self._compare(what, now_us)
            counts = {"batches": 1, "events": what.events, "withheld": entry.withheld}
            seen.count(self._database, what.sensor, entry.via, now_us, **counts, reduced=int(entry.reduced))
        else:
            seen.count(self._database, what.sensor, entry.via, now_us, duplicates=1)
        if entry.number is not None:
            epoch, lane, seq = entry.number
            self._advance(entry.via, epoch, lane, seq + 1, b"", 0, 0, now_us)

    def _compare(self, entry: NewRecord, now_us: int) -> None:
        """Note a batch that does not name the one before it, where that one is here."""
        held = self._database.execute(
            "SELECT digest FROM record WHERE sensor = ? AND epoch = ? AND lane = ? AND seq = ?",
            (entry.sensor, entry.epoch, entry.lane, entry.seq - 1),
        ).fetchone()
        if held is not None and entry.previous and held[0] != entry.previous:
            place = (entry.sensor, entry.epoch, entry.lane, entry.seq, entry.seq - 1)
            self._insert_gap(Gap(*place, 0, "chain"), now_us)

    def _add(self, entry: NewRecord, now_us: int) -> bool:
        """Add the record, whoever brought it; False when it is here, or was."""
        place = (entry.sensor, entry.epoch, entry.lane, entry.seq)
        if not seen.note(self._database, *place):
            held = self._database.execute(
                "SELECT digest FROM record WHERE sensor = ? AND epoch = ? AND lane = ? AND seq = ?", place
            ).fetchone()
            if held is not None and held[0] != entry.digest:
                self._quarantine(Quarantined(entry.sensor, "conflict", entry.sealed), now_us)
            return False
        self._added = Kept(self._added.batches + 1, self._added.events + entry.events)
        add_record(
            self._database,
            sensor=entry.sensor,
            epoch=entry.epoch,
            lane=entry.lane,
            seq=entry.seq,
            events=entry.events,
            digest=entry.digest,
            added_us=now_us,
            sealed=entry.sealed,
        )
        return True

    def _note_gap(self, entry: Gap, now_us: int) -> None:
        self._insert_gap(entry, now_us)
        if entry.last >= entry.first:
            self._advance(entry.sensor, entry.epoch, entry.lane, entry.last + 1, b"", 0, entry.events, now_us)

    def _insert_gap(self, entry: Gap, now_us: int) -> bool:
        # An oddity is noted once, however often it is met.
        added = self._database.execute(
            "INSERT INTO gap (sensor, epoch, lane, first, last, events, reason, noted_us) "
            "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM gap WHERE sensor = ?1 AND "
            "epoch = ?2 AND lane = ?3 AND first = ?4 AND reason = ?7)",
            (*entry, now_us),
        )
        return bool(added.rowcount)

    def _quarantine(self, entry: Quarantined, now_us: int) -> None:
        self._database.execute(
            "INSERT INTO quarantine (sensor, reason, noted_us, bytes) VALUES (?, ?, ?, ?)",
            (entry.sensor, entry.reason, now_us, entry.sealed[:MAX_QUARANTINED_BYTES]),
        )
        self._database.execute(
            "DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?", (_QUARANTINE_ENTRIES,)
        )

    def _advance(
        self,
        sensor: str,
        epoch: int,
        lane: int,
        following: int,
        digest: bytes,
        events: int,
        lost: int,
        now_us: int,
    ) -> None:
        self._database.execute(
            "INSERT INTO stream VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET next = "
            "excluded.next, "
            "digest = excluded.digest, events = events + excluded.events, lost = lost + excluded.lost, "
            "changed_us = excluded.changed_us",
            (sensor, epoch, lane, following, digest, events, lost, now_us),
        )

    def _one(self, query: str, *parameters: object) -> tuple[Any, ...]:
        row: tuple[Any, ...] = self._database.execute(query, parameters).fetchone()
        return row

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, transaction(self._database):
            yield
