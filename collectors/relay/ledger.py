"""The relay's file: which items wait under which numbers, and the books that whoever asks may read."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import NamedTuple

from sensor.bus.layout import POLICY
from sensor.bus.messages import Book
from sensor.bus.records import open_beside

APPLICATION = 0x4844524C  # "HDRL"
VERSION = 1
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE lane (
  lane INTEGER PRIMARY KEY,
  next INTEGER NOT NULL DEFAULT 0,       -- the number the next item gets
  delivered INTEGER NOT NULL DEFAULT 0,  -- events, as all of these
  withheld INTEGER NOT NULL DEFAULT 0,
  pending INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE loss (
  lane INTEGER, reason TEXT, events INTEGER NOT NULL, PRIMARY KEY (lane, reason)
) WITHOUT ROWID;
CREATE TABLE item (
  lane INTEGER, seq INTEGER,
  record INTEGER,             -- in the journal, or
  gap INTEGER,                -- a loss that a sensor stated
  sensor TEXT NOT NULL, events INTEGER NOT NULL, added_us INTEGER NOT NULL,
  withheld INTEGER NOT NULL DEFAULT 0,  -- events that the policy took out when it was last sent
  fate TEXT NOT NULL DEFAULT '',        -- why its number carries no batch
  PRIMARY KEY (lane, seq)
) WITHOUT ROWID;
CREATE INDEX item_by_record ON item (record) WHERE record IS NOT NULL;
CREATE TABLE later (  -- refused for their origin: they get another number when that may have been mended
  record INTEGER PRIMARY KEY, lane INTEGER NOT NULL, sensor TEXT NOT NULL, events INTEGER NOT NULL,
  added_us INTEGER NOT NULL
)
"""
OUTBOX_FILE = "outbox.sqlite"


class State(NamedTuple):
    """What waits of one lane: items, events, since when (µs, this machine's clock), and how many events were
    put off.
    """

    lane: int
    items: int
    events: int
    oldest_us: int | None
    later: int


def read_books(path: Path) -> list[tuple[Book, State]]:
    """The books of an outbox that another process may be using, by lane."""
    with contextlib.closing(open_beside(path)) as database:
        return list(zip(books(database), states(database), strict=True))


def rescan(path: Path) -> None:
    """Offer everything that the journal still holds once more, with books that begin anew. The relay must not
    be running.
    """
    with contextlib.closing(open_beside(path)) as database:
        database.executescript(
            "BEGIN IMMEDIATE; DELETE FROM item; DELETE FROM later; DELETE FROM loss; DELETE FROM meta; "
            "DELETE FROM lane; COMMIT"
        )


def books(database: sqlite3.Connection) -> list[Book]:
    lost: dict[int, dict[str, int]] = {}
    for lane, reason, events in database.execute("SELECT lane, reason, events FROM loss"):
        lost.setdefault(lane, {})[reason] = events
    told = []
    for lane, delivered, withheld, pending in database.execute(
        "SELECT lane, delivered, withheld, pending FROM lane ORDER BY lane"
    ):
        gone = lost.get(lane, {}) | ({POLICY: withheld} if withheld else {})
        told.append(Book(lane, delivered + pending + sum(gone.values()), delivered, pending, gone))
    return told


def states(database: sqlite3.Connection) -> list[State]:
    rows = database.execute(
        "SELECT lane, (SELECT count(*) FROM item WHERE item.lane = lane.lane), pending, "
        "(SELECT added_us FROM item WHERE item.lane = lane.lane ORDER BY seq LIMIT 1), "
        "(SELECT coalesce(sum(events), 0) FROM later WHERE later.lane = lane.lane) FROM lane ORDER BY lane"
    )
    return [State(*row) for row in rows]
