"""The journal as the relay and the export see it: what came after a record, a record's bytes, and the mark up
to which it may forget.

A connection of its own, so that reading never waits for ingest, nor ingest for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from collectors import sightings
from collectors.entries import Sighted
from sensor.bus.layout import ELSEWHERE, POLICY
from sensor.bus.records import COLUMNS, Record, as_record, open_beside


class Entry(NamedTuple):
    """A record that waits, without its bytes."""

    id: int
    sensor: str
    lane: int
    events: int
    added_us: int


class Loss(NamedTuple):
    """Numbers that a sensor stated as lost, as the journal notes them."""

    id: int
    sensor: str
    epoch: int
    lane: int
    first: int
    last: int
    events: int
    reason: str
    noted_us: int


class Backlog:
    """Reads one journal; made by one thread and used by one at a time."""

    def __init__(self, path: Path) -> None:
        self._database = open_beside(path)

    def close(self) -> None:
        self._database.close()

    def entries(self, after: int, limit: int) -> list[Entry]:
        """The next records by id."""
        rows = self._database.execute(
            "SELECT id, sensor, lane, events, added_us FROM record WHERE id > ? ORDER BY id LIMIT ?",
            (after, limit),
        )
        return [Entry(*row) for row in rows]

    def losses(self, after: int, limit: int) -> list[Loss]:
        """The next stated losses by id: no oddities, nor what is elsewhere or was kept back."""
        rows = self._database.execute(
            "SELECT id, sensor, epoch, lane, first, last, events, reason, noted_us FROM gap WHERE id > ? "
            "AND last >= first AND reason NOT IN (?, ?) ORDER BY id LIMIT ?",
            (after, ELSEWHERE, POLICY, limit),
        )
        return [Loss(*row) for row in rows]

    def loss(self, number: int) -> Loss | None:
        row = self._database.execute(
            "SELECT id, sensor, epoch, lane, first, last, events, reason, noted_us FROM gap WHERE id = ?",
            (number,),
        ).fetchone()
        return None if row is None else Loss(*row)

    def record(self, number: int) -> Record | None:
        """The record, or None when it was dropped. DamagedRecord when its bytes changed."""
        row = self._database.execute(f"SELECT {COLUMNS} FROM record WHERE id = ?", (number,)).fetchone()
        return None if row is None else as_record(row)

    def sightings(self, since_us: int) -> list[Sighted]:
        """The newest sighting of every sensor that spoke since then."""
        return sightings.read(self._database, since_us)

    def size(self) -> tuple[int, int]:
        """(records, bytes) of the journal."""
        row = self._database.execute("SELECT count(*), coalesce(sum(size), 0) FROM record").fetchone()
        return int(row[0]), int(row[1])

    def hold(self, upto: int, quota_bytes: int) -> None:
        """The journal may forget records up to this one, and the others only beyond this size."""
        self._database.execute("INSERT OR REPLACE INTO hold VALUES (1, ?, ?)", (upto, quota_bytes))

    def begin_hold(self, quota_bytes: int) -> None:
        """Nothing is forgotten before the relay has begun to say what it needs."""
        self._database.execute("INSERT OR IGNORE INTO hold VALUES (1, 0, ?)", (quota_bytes,))

    def release(self) -> None:
        """Nothing is held for a relay any more."""
        self._database.execute("DELETE FROM hold")
