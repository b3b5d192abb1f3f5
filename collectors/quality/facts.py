"""What a centre counted of one sensor in one interval of receipt. Ingest and filler add to it in the
transaction that makes the counted thing durable, so that counts survive what the things survive.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec

from sensor.bus.records import run_script, transaction

INTERVAL_SECONDS = 60
BROUGHT_SECONDS = 86_400  # a sensor of which a relay spoke is expected to go on for so long
KEEP_SECONDS = 3 * 86_400  # in the journal; the store keeps them longer

_TABLES = """
CREATE TABLE IF NOT EXISTS measure (
  sensor TEXT, begin INTEGER,  -- seconds since 1970, of the centre's clock
  facts BLOB NOT NULL,         -- JSON
  PRIMARY KEY (sensor, begin)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS measure_by_begin ON measure (begin);
CREATE TABLE IF NOT EXISTS measured (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  upto INTEGER NOT NULL        -- intervals that begin before this are closed
);
INSERT INTO measured VALUES (1, 0)
"""


class Facts(msgspec.Struct, omit_defaults=True):
    """Counts of one sensor and interval. Times in microseconds; None where nothing was heard of it."""

    # Counted on receipt.
    batches: int = 0  # verified: both signatures, number, digest
    events: int = 0  # in them
    forged: int = 0  # batches refused for key, seal or signature
    unreadable: int = 0  # batches and messages refused for their form
    duplicates: int = 0  # batches that came again and were left out
    missing: int = 0  # batches that were stated as lost
    missing_uncounted: int = 0  # stretches of them of which nobody knows how many events they held
    lost: int = 0  # events in them
    chain_breaks: int = 0
    new_spools: int = 0
    words: int = 0  # heartbeats
    sightings: int = 0  # what a relay said of a sensor that it hears
    reduced: int = 0  # of the batches, those that a relay left something out of and signed
    withheld: int = 0  # events that it left out
    skipped: int = 0  # numbers before a relay's or a stick's batch that nobody has brought or stated
    late: int = 0  # numbers that were skipped and came, or were stated, after all
    live_us: int = 0  # of the interval, covered by messages close to each other
    silence_us: int = 0  # longest
    packet_lag_us: int | None = None  # longest from a batch's last packet, by its clock, to receipt, by ours

    # Of the sensor's clock: minus ours, of the sample with the smallest bound; the extremes of all samples.
    skew_us: int | None = None
    bound_us: int | None = None
    skew_low_us: int | None = None
    skew_high_us: int | None = None

    # From its last heartbeat, in events since its spool was made.
    heard_us: int = 0
    made: int = 0
    delivered: int = 0
    pending: int = 0
    given_up: int = 0
    books_open: int = 0  # by how many events the books do not close

    # From the filler and the store.
    store_lag_us: int | None = None  # longest from receipt to the store
    stored: int = 0
    invalid: int = 0  # of these, lines that are no event
    kernel_packets: int = 0
    kernel_drops: int = 0
    queue_lost: int = 0  # events given up inside the sensor before they reached its spool
    imbalances: int = 0  # books of the sensor's capture that did not close


_SUMS = (
    "batches", "events", "forged", "unreadable", "duplicates", "missing", "missing_uncounted", "lost",
    "chain_breaks", "new_spools", "words", "sightings", "reduced", "withheld", "skipped", "late", "live_us",
    "stored", "invalid", "kernel_packets", "kernel_drops", "queue_lost",
)  # fmt: skip
_HIGHEST = ("silence_us", "packet_lag_us", "skew_high_us", "store_lag_us", "imbalances")
_LATEST = ("heard_us", "made", "delivered", "pending", "given_up", "books_open")


def merge(one: Facts, other: Facts) -> Facts:
    """Both together, in any order."""
    made = Facts()
    for name in _SUMS:
        setattr(made, name, getattr(one, name) + getattr(other, name))
    for name in _HIGHEST:
        known = [value for value in (getattr(one, name), getattr(other, name)) if value is not None]
        setattr(made, name, max(known, default=None))
    lows = [value for value in (one.skew_low_us, other.skew_low_us) if value is not None]
    made.skew_low_us = min(lows, default=None)
    later = other if other.heard_us >= one.heard_us else one
    for name in _LATEST:
        setattr(made, name, getattr(later, name))
    best = min((one, other), key=_looseness)
    made.skew_us, made.bound_us = best.skew_us, best.bound_us
    return made


def _looseness(facts: Facts) -> tuple[bool, bool, int]:
    return facts.skew_us is None, facts.bound_us is None, facts.bound_us or 0


def note_clock(facts: Facts, skew_us: int, bound_us: int | None) -> None:
    """One sample of the sensor's clock."""
    sample = Facts(skew_us=skew_us, bound_us=bound_us, skew_low_us=skew_us, skew_high_us=skew_us)
    both = merge(facts, sample)
    for name in ("skew_us", "bound_us", "skew_low_us", "skew_high_us"):
        setattr(facts, name, getattr(both, name))


def begin_of(us: int) -> int:
    """The beginning of the interval of a time in microseconds, in seconds."""
    seconds = us // 1_000_000
    return seconds - seconds % INTERVAL_SECONDS


# The journal's table. Every function but the first works inside the caller's transaction.


def create_tables(database: sqlite3.Connection) -> None:
    """Make the tables where there are none."""
    there = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'measured'").fetchone()
    if there is None:
        with transaction(database):
            run_script(database, _TABLES)


def add(database: sqlite3.Connection, sensor: str, begin: int, facts: Facts) -> None:
    """Add to what is counted already."""
    row = database.execute(
        "SELECT facts FROM measure WHERE sensor = ? AND begin = ?", (sensor, begin)
    ).fetchone()
    if row is not None:
        facts = merge(msgspec.json.decode(row[0], type=Facts), facts)
    database.execute(
        "INSERT OR REPLACE INTO measure VALUES (?, ?, ?)", (sensor, begin, msgspec.json.encode(facts))
    )


def read(
    database: sqlite3.Connection, since: int, until: int, sensor: str = ""
) -> Iterator[tuple[str, int, Facts]]:
    """(sensor, begin, facts) of intervals that begin at since <= begin < until, in order of time."""
    rows = database.execute(
        "SELECT sensor, begin, facts FROM measure WHERE begin >= ? AND begin < ? AND (? = '' OR sensor = ?) "
        "ORDER BY begin, sensor",
        (since, until, sensor, sensor),
    )
    for name, begin, facts in rows:
        yield name, begin, msgspec.json.decode(facts, type=Facts)


def close(database: sqlite3.Connection, upto: int) -> None:
    """Intervals before this one are closed; forget the oldest."""
    database.execute("UPDATE measured SET upto = ?", (upto,))
    database.execute("DELETE FROM measure WHERE begin < ?", (upto - KEEP_SECONDS,))
