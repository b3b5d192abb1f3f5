"""The spool's tables, and the rows that go in and come out (docs/spec/spool.md). No behaviour."""

from __future__ import annotations

from typing import NamedTuple

from sensor.bus.records import RECORDS

APPLICATION = 0x48445350  # "HDSP"
VERSION = 1
ELSEWHERE = "elsewhere"
"""Reason of numbers that another collector has: no loss."""
POLICY = "policy"
"""Reason of what a relay's policy keeps back."""
SCHEMA = f"""
{RECORDS};
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE lane (
  lane      INTEGER PRIMARY KEY,
  next      INTEGER NOT NULL DEFAULT 0,  -- the number the next batch gets
  digest    BLOB    NOT NULL,            -- of the last batch
  leased    INTEGER NOT NULL DEFAULT 0,  -- batches before this number may have been sent
  made      INTEGER NOT NULL DEFAULT 0,
  delivered INTEGER NOT NULL DEFAULT 0,
  pending   INTEGER NOT NULL DEFAULT 0,
  bytes     INTEGER NOT NULL DEFAULT 0   -- of the pending records, with their overhead
);
CREATE TABLE loss (
  lane INTEGER, reason TEXT, events INTEGER NOT NULL, PRIMARY KEY (lane, reason)
) WITHOUT ROWID;
CREATE TABLE hole (  -- numbers that were given and will never be sent
  lane INTEGER, first INTEGER, last INTEGER NOT NULL, events INTEGER NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (lane, first)
) WITHOUT ROWID;
CREATE TABLE progress (
  input TEXT, lane INTEGER, events INTEGER NOT NULL, PRIMARY KEY (input, lane)
) WITHOUT ROWID;
CREATE TABLE input (
  input TEXT PRIMARY KEY, what TEXT NOT NULL, finished INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID
"""

BESIDE = """
CREATE TABLE IF NOT EXISTS acknowledged (  -- some collector has, or was told of, everything before `next`
  lane INTEGER PRIMARY KEY, next INTEGER NOT NULL
)
"""


class Pending(NamedTuple):
    """Events of one lane, to be numbered and sealed as one batch. Times in microseconds of packet time, 0 if
    unknown.
    """

    lane: int
    events: int
    ndjson: bytes
    first_us: int = 0
    last_us: int = 0


class Hole(NamedTuple):
    """Numbers first..last of a lane that will never be sent. events 0: unknown."""

    lane: int
    first: int
    last: int
    events: int
    reason: str
