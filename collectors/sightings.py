"""The journal's table of sightings: when each sensor last spoke, to this centre or to a relay that says so,
and how far its clock is off. A relay hands them on with its heartbeats, so that the next tier knows them too.

Later than the rest of the journal: one that was made without it gains it.
"""

from __future__ import annotations

import sqlite3

from collectors.entries import Sighted

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sighting (
  sensor TEXT, via TEXT, heard_us INTEGER NOT NULL, skew_us INTEGER NOT NULL, bound_us INTEGER,
  PRIMARY KEY (sensor, via)
) WITHOUT ROWID
"""


def create_tables(database: sqlite3.Connection) -> None:
    """Where they are not there yet."""
    database.execute(_SCHEMA)


def note(database: sqlite3.Connection, sighted: Sighted) -> None:
    """The newest of each sensor and relay counts."""
    database.execute("INSERT OR REPLACE INTO sighting VALUES (?, ?, ?, ?, ?)", sighted)


def read(database: sqlite3.Connection, since_us: int) -> list[Sighted]:
    """The newest sighting of every sensor that spoke since then, by sensor."""
    rows = database.execute(
        "SELECT * FROM sighting WHERE heard_us >= ? ORDER BY sensor, heard_us", (since_us,)
    )
    newest = {row[0]: Sighted(*row) for row in rows}
    return list(newest.values())
