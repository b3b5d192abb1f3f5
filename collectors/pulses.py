"""The journal's table of heartbeats: what came of each sensor's, and what it says of them.

Later than the rest of the journal: one that was made without it gains it.
"""

from __future__ import annotations

import sqlite3

from collectors.entries import Beat, Proven, Told

_SCHEMA = """
CREATE TABLE IF NOT EXISTS heartbeat (
  sensor TEXT PRIMARY KEY, number INTEGER NOT NULL, received_us INTEGER NOT NULL,
  interval_s INTEGER NOT NULL, stage TEXT NOT NULL
) WITHOUT ROWID
"""


def create_tables(database: sqlite3.Connection) -> None:
    """Where they are not there yet."""
    database.execute(_SCHEMA)


def note(database: sqlite3.Connection, beat: Beat) -> None:
    """One has come."""
    database.execute(
        "INSERT INTO heartbeat VALUES (?, ?, ?, 0, '') ON CONFLICT DO UPDATE SET "
        "number = max(number, excluded.number), received_us = excluded.received_us",
        beat,
    )


def tell(database: sqlite3.Connection, told: Told) -> None:
    """A sensor's word of its own."""
    database.execute(
        "INSERT INTO heartbeat VALUES (?1, 0, ?4, ?2, ?3) ON CONFLICT DO UPDATE SET "
        "interval_s = excluded.interval_s, stage = excluded.stage",
        told,
    )


def read(database: sqlite3.Connection) -> list[Proven]:
    """Of every sensor that ever spoke of heartbeats."""
    return [Proven(*row) for row in database.execute("SELECT * FROM heartbeat ORDER BY sensor").fetchall()]


def forget(database: sqlite3.Connection, sensor: str) -> None:
    """Expect none any more."""
    database.execute("DELETE FROM heartbeat WHERE sensor = ?", (sensor,))
