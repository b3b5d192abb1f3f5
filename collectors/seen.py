"""Which batches a centre ever kept, as ranges of numbers, and what it knows of sensors that others brought.

A sensor's own link keeps its order, so the number that follows tells what was kept. A relay or a stick brings
the same batches in any order, again, and after the journal has dropped them: only the ranges tell then. The
functions work inside the journal's transaction.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from collectors.entries import Gap
from sensor.bus.records import open_beside, run_script, transaction

TABLES = """
CREATE TABLE IF NOT EXISTS seen (
  sensor TEXT, epoch INTEGER, lane INTEGER, first INTEGER, last INTEGER NOT NULL,
  PRIMARY KEY (sensor, epoch, lane, first)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS origin (
  sensor TEXT, via TEXT,       -- the relay or exporter that brought what is counted here
  batches INTEGER NOT NULL, events INTEGER NOT NULL,
  lost INTEGER NOT NULL,       -- events that the sensor gave up
  reduced INTEGER NOT NULL,    -- batches that the relay left something out of, and signed
  withheld INTEGER NOT NULL,   -- events that it left out
  duplicates INTEGER NOT NULL, -- batches that were here already
  changed_us INTEGER NOT NULL,
  PRIMARY KEY (sensor, via)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS imported (segment BLOB PRIMARY KEY, at_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hold (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  upto INTEGER NOT NULL,       -- records up to this id are nothing to the relay any more
  quota_bytes INTEGER NOT NULL -- the others are kept until the journal is as large as this
)
"""


class OriginRow(NamedTuple):
    """What one relay or exporter brought of one sensor; counts since ever, changed_us by this machine's
    clock.
    """

    sensor: str
    via: str
    batches: int
    events: int
    lost: int
    reduced: int
    withheld: int
    duplicates: int
    changed_us: int


def create_tables(database: sqlite3.Connection) -> None:
    """Make the tables; a journal from before them has kept what its streams have passed."""
    with transaction(database):
        is_new = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'seen'").fetchone() is None
        run_script(database, TABLES)
        if is_new:
            database.execute(
                "INSERT INTO seen SELECT sensor, epoch, lane, 0, next - 1 FROM stream WHERE next > 0"
            )


def note(database: sqlite3.Connection, sensor: str, epoch: int, lane: int, seq: int) -> bool:
    """Note this batch as kept; False when it was before."""
    stream = (sensor, epoch, lane)
    near = database.execute(
        "SELECT first, last FROM seen WHERE sensor = ? AND epoch = ? AND lane = ? AND first <= ? "
        "ORDER BY first DESC LIMIT 2",
        (*stream, seq + 1),
    ).fetchall()
    after = near.pop(0) if near and near[0][0] == seq + 1 else None
    before = near[0] if near else None
    if before is not None and before[1] >= seq:
        return False
    if after is not None:
        database.execute(
            "DELETE FROM seen WHERE sensor = ? AND epoch = ? AND lane = ? AND first = ?", (*stream, seq + 1)
        )
    last = seq if after is None else after[1]
    if before is not None and before[1] == seq - 1:
        database.execute(
            "UPDATE seen SET last = ? WHERE sensor = ? AND epoch = ? AND lane = ? AND first = ?",
            (last, *stream, before[0]),
        )
    else:
        database.execute("INSERT INTO seen VALUES (?, ?, ?, ?, ?)", (*stream, seq, last))
    return True


def highest(database: sqlite3.Connection, sensor: str, epoch: int, lane: int) -> int:
    """The last number of one stream that was kept or stated; -1 when there is none."""
    stream = (sensor, epoch, lane)
    kept = database.execute(
        "SELECT last FROM seen WHERE sensor = ? AND epoch = ? AND lane = ? ORDER BY first DESC LIMIT 1",
        stream,
    ).fetchone()
    stated = database.execute(
        "SELECT last FROM gap WHERE sensor = ? AND epoch = ? AND lane = ? AND last >= first "
        "ORDER BY first DESC LIMIT 1",
        stream,
    ).fetchone()
    return max(kept[0] if kept else -1, stated[0] if stated else -1)


def is_new_epoch(database: sqlite3.Connection, sensor: str, epoch: int) -> bool:
    """Whether batches of this sensor were kept, and none of this epoch."""
    query = "SELECT max(epoch = ?), count(*) FROM seen WHERE sensor = ?"
    is_known, others = database.execute(query, (epoch, sensor)).fetchone()
    return bool(others and not is_known)


def unknown(database: sqlite3.Connection, gap: Gap) -> int:
    """How many numbers of a stretch were not kept."""
    first, last = gap.first, gap.last
    (kept,) = database.execute(
        "SELECT coalesce(sum(min(last, ?5) - max(first, ?4) + 1), 0) FROM seen WHERE sensor = ?1 AND "
        "epoch = ?2 AND lane = ?3 AND first <= ?5 AND last >= ?4",
        (gap.sensor, gap.epoch, gap.lane, first, last),
    ).fetchone()
    return max(0, last + 1 - first - int(kept))


def ranges(database: sqlite3.Connection, sensor: str, epoch: int, lane: int) -> list[tuple[int, int]]:
    """(first, last) of what was kept of one stream."""
    return database.execute(
        "SELECT first, last FROM seen WHERE sensor = ? AND epoch = ? AND lane = ? ORDER BY first",
        (sensor, epoch, lane),
    ).fetchall()


def missing(journal: Path) -> list[tuple[str, int, int]]:
    """(sensor, lane, batches) that are neither here nor stated as lost, kept back or elsewhere: a relay has
    not brought them yet, or leaves them out.
    """
    found: Counter[tuple[str, int]] = Counter()
    with contextlib.closing(open_beside(journal)) as database:
        rows = database.execute(
            "SELECT sensor, epoch, lane, first, last FROM seen UNION ALL "
            "SELECT sensor, epoch, lane, first, last FROM gap WHERE last >= first ORDER BY 1, 2, 3, 4"
        )
        for (sensor, _, lane), group in itertools.groupby(rows, key=lambda row: row[:3]):
            following = 0
            for *_, first, last in group:
                found[sensor, lane] += max(0, first - following)
                following = max(following, last + 1)
    return [(*place, batches) for place, batches in sorted(found.items()) if batches]


def count(database: sqlite3.Connection, sensor: str, via: str, now_us: int, **added: int) -> None:
    """Add to what this relay brought of this sensor; the names are OriginRow's."""
    values = [added.get(name, 0) for name in OriginRow._fields[2:8]]
    database.execute(
        "INSERT INTO origin VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "batches = batches + excluded.batches, events = events + excluded.events, lost = lost + "
        "excluded.lost, reduced = reduced + excluded.reduced, withheld = withheld + excluded.withheld, "
        "duplicates = duplicates + excluded.duplicates, changed_us = excluded.changed_us",
        (sensor, via, *values, now_us),
    )


def origins(journal: Path) -> list[OriginRow]:
    """Everything that others brought to this journal, by sensor."""
    with contextlib.closing(open_beside(journal)) as database:
        return [OriginRow(*row) for row in database.execute("SELECT * FROM origin ORDER BY sensor, via")]


def was_imported(journal: Path, segment: bytes) -> bool:
    """Whether all of the segment with this digest was kept."""
    with contextlib.closing(open_beside(journal)) as database:
        query = "SELECT 1 FROM imported WHERE segment = ?"
        return database.execute(query, (segment,)).fetchone() is not None


def note_import(journal: Path, segment: bytes) -> None:
    """All of the segment with this digest is kept."""
    with contextlib.closing(open_beside(journal)) as database:
        database.execute("INSERT OR IGNORE INTO imported VALUES (?, ?)", (segment, time.time_ns() // 1000))
