"""The spool: every batch stands here, sealed and numbered, before it is sent and until the centre has it.

A bounded SQLite database (docs/spec/spool.md). One transaction holds the batches of one step of the line,
their numbers, the account of their events and how far the input was read, so a SIGKILL at any moment leaves
all of a step or nothing. When the quota is reached the lowest lane gives way, oldest first; a lane never
displaces a higher one; what is shed is counted. A batch that may have been sent is never shed: it could be
counted as lost and as delivered.

The books, per lane and in events, always close: made = delivered + pending + sum(lost).
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sensor.bus import lanes, losses
from sensor.bus.layout import APPLICATION, BESIDE, ELSEWHERE, SCHEMA, VERSION, Hole, Pending
from sensor.bus.messages import Book, Span
from sensor.bus.records import (
    COLUMNS,
    DamagedRecord,
    Record,
    add_record,
    as_record,
    open_database,
    transaction,
)
from sensor.bus.repair import ROW_OVERHEAD_BYTES, Salvaged, open_sound
from sensor.bus.reserve import RESERVE_BYTES, Reserve
from sensor.bus.seal import MAX_NDJSON_BYTES, NO_PREVIOUS, Header, Sealed, Sealer
from sensor.errors import UserError

SPOOL_FILE = "spool.sqlite"
DEFAULT_QUOTA_BYTES = 10 * 1024**3
_LEASE_BATCHES = 256  # how many numbers may be sent before the next durable note that they may have been


class SpoolFull(Exception):
    """The quota is reached and the caller would rather wait than shed."""


class Spool:
    """One sensor's spool. Threads: one appends, another reads and acknowledges; every method takes
    the lock.
    """

    def __init__(
        self,
        path: Path,
        sensor: str,
        *,
        quota_bytes: int = DEFAULT_QUOTA_BYTES,
        mend: bool = False,
        reserve_bytes: int = RESERVE_BYTES,
        has_alternates: bool = False,
    ) -> None:
        """mend: for the one process that fills and empties it: a spool that was not closed in good order is
        checked, and repaired when it is damaged (`repaired` says what was found), and reserve_bytes of disk
        are held back. has_alternates: what a collector asks for that was acknowledged before is at another
        one; with a single collector it is missing there. UserError when it cannot be used.
        """
        self.path = path
        self.sensor = sensor
        self.quota_bytes = quota_bytes
        self.repaired: Salvaged | None = None
        self._mends = mend
        self._has_alternates = has_alternates
        self._reserve = Reserve(path.with_name(path.name + ".reserve"), reserve_bytes if mend else 0)
        self._lock = threading.RLock()
        if mend:
            self._database, self.repaired = open_sound(path)
        else:
            self._database = open_database(path, SCHEMA, application=APPLICATION, version=VERSION)
        try:
            self._begin()
        except sqlite3.OperationalError as error:  # full: what an earlier run held back is free now
            try:
                self._begin()
            except sqlite3.OperationalError:
                self._database.close()
                raise UserError(
                    f"cannot be written: {error}", where=path, fix="make room on the disk, check its rights"
                ) from error
        self._leased = dict(self._database.execute("SELECT lane, leased FROM lane"))
        self._reserve.take()
        self.epoch: int = self._one("SELECT value FROM meta WHERE key = 'epoch'")[0]

    def _begin(self) -> None:
        self._database.executescript(BESIDE)
        with self._transaction():
            if self._mends:
                self._database.execute("INSERT OR REPLACE INTO meta VALUES ('open', 1)")
            # The epoch names this spool's numbering: a spool that is lost or replaced starts another.
            self._database.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (secrets.randbits(63),))
            self._database.executemany(
                "INSERT OR IGNORE INTO lane (lane, digest) VALUES (?, ?)",
                [(lane, NO_PREVIOUS) for lane in range(lanes.COUNT)],
            )

    def close(self) -> None:
        with self._lock:
            if self._mends:
                self._reserve.let_go()
                with contextlib.suppress(sqlite3.Error):  # on a full disk it is checked at the next start
                    self._database.execute("UPDATE meta SET value = 0 WHERE key = 'open'")
            self._database.close()

    # What the line does.

    def append(
        self, batches: Sequence[Pending], sealer: Sealer, *, input_id: str = "", shed: bool = True
    ) -> dict[int, int]:
        """Number, seal and store these batches and note them as read from `input_id`, in one durable
        transaction.

        Only one thread may append. Returns the events shed to make room, by lane. shed=False: SpoolFull
        instead, and nothing is stored. sqlite3.OperationalError when the disk refuses: nothing is stored
        either.
        """
        quota_bytes = self.quota_bytes
        if self._reserve.is_tight():  # the file may not grow: what comes takes the place of what left
            free = self._one("PRAGMA freelist_count")[0] * self._one("PRAGMA page_size")[0]
            quota_bytes = min(quota_bytes, self.used_bytes() + free * 3 // 4)
        sealed = self._seal(batches, sealer)
        lost: dict[int, int] = {}
        with self._transaction():
            now_us = time.time_ns() // 1000
            for header, record in sealed:
                size = len(record.record) + ROW_OVERHEAD_BYTES
                if record.record and self._make_room(header.lane, size, quota_bytes, shed, lost):
                    add_record(
                        self._database,
                        sensor=self.sensor,
                        epoch=self.epoch,
                        lane=header.lane,
                        seq=header.seq,
                        events=header.events,
                        digest=record.digest,
                        added_us=now_us,
                        sealed=record.record,
                    )
                    self._account(header, record.digest, pending=header.events, size=size)
                else:  # it has its number all the same, so that the centre sees the hole
                    self._account(header, record.digest, pending=0, size=0)
                    reason = "shed" if record.record else "oversize"
                    losses.lose(
                        self._database, Hole(header.lane, header.seq, header.seq, header.events, reason), lost
                    )
                if input_id:
                    self._database.execute(
                        "INSERT INTO progress VALUES (?, ?, ?) "
                        "ON CONFLICT DO UPDATE SET events = events + excluded.events",
                        (input_id, header.lane, header.events),
                    )
        return lost

    def begin_input(self, input_id: str, what: str) -> tuple[bool, list[int]]:
        """(finished before, events already spooled by lane) of an input; makes its entry."""
        with self._transaction():
            self._database.execute(
                "INSERT OR IGNORE INTO input (input, what) VALUES (?, ?)", (input_id, what)
            )
            finished = self._one("SELECT finished FROM input WHERE input = ?", input_id)[0]
            done = dict(
                self._database.execute("SELECT lane, events FROM progress WHERE input = ?", (input_id,))
            )
        return bool(finished), [done.get(lane, 0) for lane in range(lanes.COUNT)]

    def finish_input(self, input_id: str) -> None:
        """Note that this input was read to its end."""
        with self._transaction():
            self._database.execute("UPDATE input SET finished = 1 WHERE input = ?", (input_id,))

    def forget_input(self, input_id: str) -> None:
        """Read this input from its start the next time."""
        with self._transaction():
            self._database.execute("DELETE FROM progress WHERE input = ?", (input_id,))
            self._database.execute("DELETE FROM input WHERE input = ?", (input_id,))

    # What the link does.

    def spans(self) -> list[Span]:
        """Per lane: the first number still held (or the next one, when none is) and the number after the
        last.
        """
        with self._lock:
            rows = self._database.execute(
                "SELECT lane, coalesce((SELECT min(seq) FROM record r WHERE r.sensor = ? AND r.epoch = ? "
                "AND r.lane = lane.lane), next), next FROM lane ORDER BY lane",
                (self.sensor, self.epoch),
            ).fetchall()
        return [Span(*row) for row in rows]

    def next_item(self, lane: int, seq: int) -> Record | Hole | None:
        """What stands at this number of a lane: its record, the hole that begins there, or None when it is
        not made yet. Numbers that were acknowledged are a hole to a collector that asks for them: another one
        has them.

        A record is leased (see the module) before it is handed out. One that no longer matches its checksum
        becomes a hole.
        """
        with self._lock:
            row = self._database.execute(
                f"SELECT {COLUMNS} FROM record WHERE sensor = ? AND epoch = ? AND lane = ? AND seq >= ? "
                "ORDER BY seq LIMIT 1",
                (self.sensor, self.epoch, lane, seq),
            ).fetchone()
            if row is None or row[4] > seq:
                end = self._one("SELECT next FROM lane WHERE lane = ?", lane)[0] if row is None else row[4]
                return self._hole_at(lane, seq, end)
            self._lease(lane, seq)
            try:
                return as_record(row)
            except DamagedRecord:
                self.drop(lane, seq, "damaged")
                return self._hole_at(lane, seq, seq + 1)

    def acknowledge(self, lane: int, following: int) -> int:
        """Everything before `following` is durable at the centre: forget it. Returns the events now
        delivered.
        """
        with self._transaction():
            self._database.execute(
                "INSERT INTO acknowledged VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next "
                "WHERE excluded.next > next",
                (lane, following),
            )
            batches, events, size = self._one(
                "SELECT count(*), coalesce(sum(events), 0), coalesce(sum(size), 0) FROM record "
                "WHERE sensor = ? AND epoch = ? AND lane = ? AND seq < ?",
                self.sensor,
                self.epoch,
                lane,
                following,
            )
            self._database.execute("DELETE FROM hole WHERE lane = ? AND last < ?", (lane, following))
            if batches:
                self._database.execute(
                    "DELETE FROM record WHERE sensor = ? AND epoch = ? AND lane = ? AND seq < ?",
                    (self.sensor, self.epoch, lane, following),
                )
                self._database.execute(
                    "UPDATE lane SET delivered = delivered + ?1, pending = pending - ?1, bytes = bytes - ?2 "
                    "WHERE lane = ?3",
                    (events, size + batches * ROW_OVERHEAD_BYTES, lane),
                )
        return int(events)

    def drop(self, lane: int, seq: int, reason: str) -> None:
        """Give up one record for good: it becomes a hole and its events are lost for this reason."""
        with self._transaction():
            self._give_up(lane, seq, reason)

    # What people and metrics ask.

    def books(self) -> list[Book]:
        """The account of every lane."""
        with self._lock:
            lost: dict[int, dict[str, int]] = {}
            for lane, reason, events in self._database.execute("SELECT lane, reason, events FROM loss"):
                lost.setdefault(lane, {})[reason] = events
            rows = self._database.execute(
                "SELECT lane, made, delivered, pending FROM lane ORDER BY lane"
            ).fetchall()
        return [
            Book(lane, made, delivered, pending, lost.get(lane, {}))
            for lane, made, delivered, pending in rows
        ]

    def used_bytes(self) -> int:
        """Bytes of the pending records, with their overhead; what the quota bounds."""
        with self._lock:
            return int(self._one("SELECT sum(bytes) FROM lane")[0])

    def pending_batches(self) -> int:
        with self._lock:
            return int(self._one("SELECT count(*) FROM record")[0])

    def oldest_pending_us(self) -> int | None:
        """When the oldest pending batch was spooled, by this machine's clock."""
        with self._lock:
            row = self._database.execute("SELECT added_us FROM record ORDER BY id LIMIT 1").fetchone()
        return None if row is None else int(row[0])

    # The inside.

    def _seal(self, batches: Sequence[Pending], sealer: Sealer) -> list[tuple[Header, Sealed]]:
        with self._lock:
            tips = {
                lane: (seq, digest)
                for lane, seq, digest in self._database.execute("SELECT lane, next, digest FROM lane")
            }
        made = []
        for batch in batches:
            seq, previous = tips[batch.lane]
            header = Header(
                sensor=self.sensor,
                epoch=self.epoch,
                lane=batch.lane,
                seq=seq,
                events=batch.events,
                first_us=batch.first_us,
                last_us=batch.last_us,
                previous=previous,
                signer=sealer.signer,
            )
            # One event larger than a batch may be: it is counted as lost, and the line goes on.
            is_too_large = len(batch.ndjson) > MAX_NDJSON_BYTES
            record = Sealed(b"", previous) if is_too_large else sealer.seal(header, batch.ndjson)
            tips[batch.lane] = (seq + 1, record.digest)
            made.append((header, record))
        return made

    def _account(self, header: Header, digest: bytes, *, pending: int, size: int) -> None:
        self._database.execute(
            "UPDATE lane SET next = ?, digest = ?, made = made + ?, pending = pending + ?, bytes = bytes "
            "+ ? WHERE lane = ?",
            (header.seq + 1, digest, header.events, pending, size, header.lane),
        )

    def _make_room(self, lane: int, size: int, quota_bytes: int, shed: bool, lost: dict[int, int]) -> bool:
        excess = self.used_bytes() + size - quota_bytes
        if excess <= 0:
            return True
        if not shed:
            raise SpoolFull(f"{self.path}: {quota_bytes} bytes are in use")
        for victim in range(lanes.COUNT - 1, lane - 1, -1):
            rows = self._database.execute(
                "SELECT seq, size FROM record WHERE sensor = ?1 AND epoch = ?2 AND lane = ?3 "
                "AND seq >= (SELECT leased FROM lane WHERE lane = ?3) ORDER BY seq",
                (self.sensor, self.epoch, victim),
            )
            doomed = []
            for seq, stored in rows:
                doomed.append(seq)
                excess -= stored + ROW_OVERHEAD_BYTES
                if excess <= 0:
                    break
            for seq in doomed:
                self._give_up(victim, seq, "shed", lost)
            if excess <= 0:
                return True
        return False

    def _give_up(self, lane: int, seq: int, reason: str, lost: dict[int, int] | None = None) -> None:
        losses.give_up(self._database, (self.sensor, self.epoch), lane, seq, reason, lost)

    def _hole_at(self, lane: int, seq: int, end: int) -> Hole | None:
        """The hole at seq; numbers before `end` that nothing explains (a repaired file) are a hole of their
        own.
        """
        if seq >= end:
            return None
        told = self._database.execute("SELECT next FROM acknowledged WHERE lane = ?", (lane,)).fetchone()
        if self._has_alternates and told is not None and seq < told[0]:
            return Hole(lane, seq, min(told[0], end) - 1, 0, ELSEWHERE)
        row = self._database.execute(
            "SELECT lane, first, last, events, reason FROM hole WHERE lane = ? AND last >= ? ORDER BY "
            "first LIMIT 1",
            (lane, seq),
        ).fetchone()
        if row is None:
            hole = Hole(lane, seq, end - 1, 0, "missing")
        elif row[1] > seq:
            hole = Hole(lane, seq, row[1] - 1, 0, "missing")
        else:
            hole = Hole(*row)._replace(first=seq)
        self._lease(lane, hole.last)
        return hole

    def _lease(self, lane: int, seq: int) -> None:
        leased = self._leased.get(lane, 0)
        if seq >= leased:
            with self._transaction():
                self._database.execute(
                    "UPDATE lane SET leased = max(leased, ?) WHERE lane = ?", (seq + _LEASE_BATCHES, lane)
                )
            self._leased[lane] = seq + _LEASE_BATCHES

    def _one(self, query: str, *parameters: object) -> tuple[Any, ...]:
        row: tuple[Any, ...] = self._database.execute(query, parameters).fetchone()
        return row

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """The lock and one durable transaction; it joins one that is open."""
        with self._lock:
            try:
                with transaction(self._database):
                    yield
            except sqlite3.OperationalError as error:
                if not self._database.in_transaction:  # the outermost has ended
                    self._reserve.refused(error, self._database)
                raise
