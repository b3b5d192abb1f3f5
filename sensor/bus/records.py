"""The table of sealed records that spool and journal share (docs/spec/spool.md), and how its database is
opened.

Every commit is on the disk when it returns (WAL, synchronous=FULL). Each record carries a CRC-32, so that a
bad sector is found when the record is read and not after the centre has refused it. Nothing here knows
sensors, sessions or quotas.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sensor.errors import UserError

RECORDS = """
CREATE TABLE IF NOT EXISTS record (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of arrival; never used twice
  sensor   TEXT    NOT NULL,
  epoch    INTEGER NOT NULL,
  lane     INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  events   INTEGER NOT NULL,
  digest   BLOB    NOT NULL,  -- of what was signed (seal.Sealed.digest)
  added_us INTEGER NOT NULL,  -- this machine's clock
  size     INTEGER NOT NULL,
  crc32    INTEGER NOT NULL,
  sealed   BLOB    NOT NULL,  -- last, so that reading the other columns does not touch it
  UNIQUE (sensor, epoch, lane, seq)
)
"""

_BUSY_SECONDS = (
    20.0  # a reader or a backup may hold the database for a moment; giving up at once would look like a fault
)
_WAL_PAGES = 2000  # 8 MB: a checkpoint now and then, and a bounded side file


class Record(NamedTuple):
    id: int
    sensor: str
    epoch: int
    lane: int
    seq: int
    events: int
    added_us: int
    sealed: bytes


class DamagedRecord(Exception):
    """A stored record whose bytes changed on the disk; `record` is its id."""

    def __init__(self, record: int, text: str) -> None:
        super().__init__(text)
        self.record = record


def open_database(path: Path, schema: str, *, application: int, version: int) -> sqlite3.Connection:
    """Open or create a database of ours, durable and checked. UserError when the file is something else or
    damaged.

    application: SQLite's application_id, so that a file of another kind is never written to.
    """
    new = not path.exists()
    try:
        if new:
            path.touch(mode=0o600)
        database = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (sqlite3.Error, OSError) as error:
        raise UserError(
            f"cannot be opened: {error}", where=path, fix="check the directory and its rights"
        ) from error
    try:
        _use_wal(database)
        database.execute("PRAGMA synchronous=FULL")
        database.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
        database.execute("PRAGMA foreign_keys=ON")
        found = database.execute("PRAGMA application_id").fetchone()[0]
        layout = database.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, application) or layout > version:
            kind = "another kind of file" if found != application else f"of a newer version ({layout})"
            raise UserError(f"is {kind}", where=path, fix="choose another directory or upgrade haidang")
        if layout < version:
            with transaction(database):
                if database.execute("PRAGMA user_version").fetchone()[0] < version:
                    named = f"PRAGMA application_id={application}; PRAGMA user_version={version}"
                    run_script(database, f"{schema}; {named}")
    except sqlite3.Error as error:
        database.close()
        is_damaged = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        raise UserError(
            f"cannot be used: {error}",
            where=path,
            fix="move it away; a new one will be made, what it held is lost"
            if is_damaged
            else "check that the disk has room and can be written, and that no other process holds it",
        ) from error
    except UserError:
        database.close()
        raise
    return database


def _use_wal(database: sqlite3.Connection) -> None:
    """SQLite does not wait by itself while another process makes the same new file a WAL one."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def open_beside(path: Path) -> sqlite3.Connection:
    """A further connection to a database that `open_database` made, as durable."""
    database = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA synchronous=FULL")
    return database


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """One durable transaction, of which nothing is kept when it fails; it joins one that is open."""
    if database.in_transaction:
        yield
        return
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # a full disk may have ended it already
            database.execute("ROLLBACK")
        raise


def run_script(database: sqlite3.Connection, script: str) -> None:
    """Statements with a semicolon between them, inside the caller's transaction (`executescript` would end
    it). What makes tables asks inside it whether they are there: another process may have made them since.
    """
    statement = ""
    for piece in script.split(";"):
        statement += f"{piece};"
        if sqlite3.complete_statement(statement):
            database.execute(statement)
            statement = ""


def add_record(
    database: sqlite3.Connection,
    *,
    sensor: str,
    epoch: int,
    lane: int,
    seq: int,
    events: int,
    digest: bytes,
    added_us: int,
    sealed: bytes,
) -> None:
    """Insert one record inside the caller's transaction."""
    database.execute(
        "INSERT INTO record (sensor, epoch, lane, seq, events, digest, added_us, size, crc32, sealed) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (sensor, epoch, lane, seq, events, digest, added_us, len(sealed), zlib.crc32(sealed), sealed),
    )


COLUMNS = "id, sensor, epoch, lane, seq, events, added_us, crc32, sealed"


def as_record(row: tuple[int, str, int, int, int, int, int, int, bytes]) -> Record:
    """A row of COLUMNS, checked. DamagedRecord when the checksum does not hold."""
    crc32, sealed = row[7:]
    if zlib.crc32(sealed) != crc32:
        raise DamagedRecord(
            row[0], f"record {row[0]} (lane {row[3]}, seq {row[4]}) does not match its checksum"
        )
    return Record(*row[:7], sealed)
