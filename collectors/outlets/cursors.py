"""How far each outlet is in the journal, in the journal's database: it drops nothing that an outlet has not
had, up to a bound, and beyond it counts what an outlet missed. Functions work inside the caller's
transaction.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

_TABLE = """
CREATE TABLE IF NOT EXISTS outlet (
  name    TEXT PRIMARY KEY,
  upto    INTEGER NOT NULL,            -- records up to this one are delivered, or were none of its
  sent    INTEGER NOT NULL DEFAULT 0,  -- events confirmed
  lost    INTEGER NOT NULL DEFAULT 0,  -- events of all kinds dropped before it had read them
  since   INTEGER NOT NULL DEFAULT 0,  -- it has been failing since (seconds since 1970), or 0
  error   TEXT NOT NULL DEFAULT '',    -- why
  confirmed INTEGER NOT NULL DEFAULT 0 -- when it last took something (seconds since 1970)
) WITHOUT ROWID
"""


class Place(NamedTuple):
    """Where an outlet stands."""

    name: str
    upto: int
    sent: int
    lost: int
    since: int
    error: str
    confirmed: int


def create_tables(database: sqlite3.Connection) -> None:
    """Make the table where there is none (in a transaction of its own)."""
    database.execute(_TABLE)


def read(database: sqlite3.Connection) -> list[Place]:
    """All of them, by name."""
    return [Place(*row) for row in database.execute("SELECT * FROM outlet ORDER BY name")]


def settle(database: sqlite3.Connection, begins: dict[str, int]) -> list[str]:
    """These outlets exist, a new one with what it begins after; forget all others and return them."""
    known = {place.name for place in read(database)}
    for name, begin in begins.items():
        if name not in known:
            database.execute("INSERT INTO outlet (name, upto) VALUES (?, ?)", (name, begin))
    gone = sorted(known - set(begins))
    for name in gone:
        database.execute("DELETE FROM outlet WHERE name = ?", (name,))
    return gone


def advance(database: sqlite3.Connection, name: str, upto: int, sent: int, now: int) -> None:
    """Everything up to this record is confirmed, or none of its."""
    database.execute(
        "UPDATE outlet SET upto = max(upto, ?), sent = sent + ?, since = 0, error = '', "
        "confirmed = iif(? > 0, ?, confirmed) WHERE name = ?",
        (upto, sent, sent, now, name),
    )


def fail(database: sqlite3.Connection, name: str, error: str, now: int) -> None:
    """It does not take what it is sent."""
    database.execute(
        "UPDATE outlet SET since = iif(since = 0, ?, since), error = ? WHERE name = ?", (now, error, name)
    )


def held(database: sqlite3.Connection) -> int | None:
    """The record before the first that some outlet still needs; None when there are no outlets."""
    found: int | None = database.execute("SELECT min(upto) FROM outlet").fetchone()[0]
    return found


def miss(database: sqlite3.Connection, doomed: int) -> None:
    """Records up to this one are about to be dropped: count what outlets miss by it."""
    database.execute(
        "UPDATE outlet SET upto = ?1, lost = lost + (SELECT coalesce(sum(events), 0) FROM record "
        "WHERE id > outlet.upto AND id <= ?1) WHERE upto < ?1",
        (doomed,),
    )
