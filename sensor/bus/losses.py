"""What a spool gives up, and the account of it. The functions work inside the spool's transaction."""

from __future__ import annotations

import sqlite3

from sensor.bus.layout import Hole
from sensor.bus.repair import ROW_OVERHEAD_BYTES


def give_up(
    database: sqlite3.Connection,
    spool: tuple[str, int],
    lane: int,
    seq: int,
    reason: str,
    lost: dict[int, int] | None = None,
) -> None:
    """Delete one batch of this sensor and epoch, if it is there: its number becomes a hole. lost: events by
    lane, added to.
    """
    row = database.execute(
        "DELETE FROM record WHERE sensor = ? AND epoch = ? AND lane = ? AND seq = ? RETURNING events, size",
        (*spool, lane, seq),
    ).fetchone()
    if row is None:
        return
    events, size = row
    database.execute(
        "UPDATE lane SET pending = pending - ?, bytes = bytes - ? WHERE lane = ?",
        (events, size + ROW_OVERHEAD_BYTES, lane),
    )
    lose(database, Hole(lane, seq, seq, events, reason), lost)


def lose(database: sqlite3.Connection, hole: Hole, lost: dict[int, int] | None) -> None:
    """Note a hole, and its events as lost for its reason."""
    database.execute(
        "INSERT INTO loss VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events",
        (hole.lane, hole.reason, hole.events),
    )
    # A hole grows only while the centre cannot have heard of it: what was reported must stay as it was said.
    grown = database.execute(
        "UPDATE hole SET last = ?1, events = events + ?2 WHERE lane = ?3 AND last = ?1 - 1 AND reason = ?4 "
        "AND first >= (SELECT leased FROM lane WHERE lane = ?3)",
        (hole.last, hole.events, hole.lane, hole.reason),
    )
    if not grown.rowcount:
        database.execute("INSERT INTO hole VALUES (?, ?, ?, ?, ?)", hole)
    if lost is not None:
        lost[hole.lane] = lost.get(hole.lane, 0) + hole.events
