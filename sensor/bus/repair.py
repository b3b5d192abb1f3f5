"""Repair of a spool whose file is damaged (docs/spec/spool.md, "Damage"): everything that can still be read
is carried into a new file, and the books say what could not.

The damaged file stays, beside the new one. `spool.sqlite.repairing` is written and made durable, its
renaming to `.repaired` is the moment of decision, and only then the damaged file is put aside under a name of
its own. Killed at any point, the next start goes on from there.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from sensor.bus import lanes
from sensor.bus.carve import carve
from sensor.bus.durable import sync_directory
from sensor.bus.layout import APPLICATION, SCHEMA, VERSION
from sensor.bus.records import COLUMNS, DamagedRecord, as_record, open_database
from sensor.bus.seal import MAGIC, NO_PREVIOUS
from sensor.errors import UserError, from_os_error

log = logging.getLogger("haidang.bus")

ROW_OVERHEAD_BYTES = 200  # keys, index and page slack of one record: the quota bounds the file, not the text
_SKIPPED_NUMBERS = 1 << 20  # left out after a lost account, since batches up to there may have been delivered
_HEAD_BYTES = 4 * 1024 * 1024
_WIDEST_GAP = 20_000  # ids between two that were found: far more than a few damaged pages hold
_MAX_NUMBERS = 50_000_000  # a loop in a damaged tree gives out ids for ever
_APPLICATION_AT = 68  # of the file's header (SQLite file format, 1.3)
_PAGES_AT = 28
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SIDE_FILES = ("-wal", "-shm")

_Row = tuple[Any, ...]


class Salvaged(NamedTuple):
    """What a repair found. events_lost: those of pending batches that can no longer be read."""

    batches: int
    events: int
    events_lost: int
    aside: Path


def open_sound(path: Path) -> tuple[sqlite3.Connection, Salvaged | None]:
    """Open a spool; when the last one to have it open did not close it, check it, and repair what is damaged.
    UserError when it cannot be used.
    """
    try:
        finish(path)
    except OSError as error:
        raise from_os_error(error, where=path) from error
    found: list[str] = []
    try:
        database = open_database(path, SCHEMA, application=APPLICATION, version=VERSION)
    except UserError as error:
        cause = error.__cause__
        is_damage = isinstance(cause, sqlite3.DatabaseError) and cause.sqlite_errorcode & 0xFF in _DAMAGE
        if not is_damage or not is_ours(path):
            raise
        found = [str(cause)]
    else:
        try:
            row = database.execute("SELECT value FROM meta WHERE key = 'open'").fetchone()
            if row is not None and row[0]:
                found = faults(database)
        except sqlite3.DatabaseError as error:
            found = [str(error)]
        if not found:
            return database, None
        database.close()
    log.error("%s is damaged and is repaired: %s", path, "; ".join(found)[:300])
    saved = repair(path)
    log.error(
        "%s: %d batches with %d events were saved, %d events are lost; the damaged file is %s", path, *saved
    )
    return open_database(path, SCHEMA, application=APPLICATION, version=VERSION), saved


def is_ours(path: Path) -> bool:
    """Whether a file that SQLite does not take was once a spool: repair is for nothing else."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return head[_APPLICATION_AT : _APPLICATION_AT + 4] == APPLICATION.to_bytes(4, "big") or MAGIC in head


def finish(path: Path) -> None:
    """Complete a repair that was killed after its decision; remove one that had not come so far."""
    repaired = _with(path, ".repaired")
    if repaired.exists():
        _put_aside(path)
        repaired.rename(path)
        sync_directory(path.parent)
    for name in (".repairing", ".grafted"):
        for suffix in ("", *_SIDE_FILES):
            if (left := _with(path, name + suffix)).exists():
                left.unlink()


def faults(database: sqlite3.Connection) -> list[str]:
    """What SQLite's quick check finds, and whether the epoch is that of the records; empty for a sound file.
    It reads the whole file.
    """
    try:
        found = [str(row[0]) for row in database.execute("PRAGMA quick_check(10)")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    if found != ["ok"]:
        return found
    other = "SELECT count(*) FROM record WHERE epoch != (SELECT value FROM meta WHERE key = 'epoch')"
    strange = int(database.execute(other).fetchone()[0])
    return [f"{strange} records of another epoch"] if strange else []


def repair(path: Path) -> Salvaged:
    """Carry what can be read into a new file at `path`; the damaged one stays beside it. UserError when not
    even that can be done.
    """
    finish(path)
    making = _with(path, ".repairing")
    try:
        with (
            closing(_open_damaged(path)) as damaged,
            closing(open_database(making, SCHEMA, application=APPLICATION, version=VERSION)) as made,
        ):
            made.execute("BEGIN IMMEDIATE")
            batches, events, lost = _carry(damaged, made, path)
            made.execute("COMMIT")
            made.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        making.rename(_with(path, ".repaired"))
        sync_directory(path.parent)
        aside = _put_aside(path)
        finish(path)
    except (sqlite3.Error, OSError) as error:
        raise UserError(
            f"damaged, and not to be repaired: {error}",
            where=path,
            fix="move it away; a new one will be made, what it held is lost",
        ) from error
    return Salvaged(batches, events, lost, aside)


def _open_damaged(path: Path) -> sqlite3.Connection:
    """The damaged file, to be read. Where its first page is gone, a copy with the first page of an empty
    spool: the tables of every spool begin at the same pages.
    """
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        database.execute("SELECT lane FROM lane LIMIT 1").fetchone()
        return database
    except sqlite3.DatabaseError:
        database.close()
    grafted = _with(path, ".grafted")
    with closing(open_database(grafted, SCHEMA, application=APPLICATION, version=VERSION)) as empty:
        empty.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page_size = int(empty.execute("PRAGMA page_size").fetchone()[0])
    first = bytearray(grafted.read_bytes()[:page_size])
    content = path.read_bytes()
    first[_PAGES_AT : _PAGES_AT + 4] = (len(content) // page_size).to_bytes(4, "big")
    grafted.write_bytes(bytes(first) + content[page_size:])
    wal = _with(path, "-wal")
    if wal.exists():
        _with(grafted, "-wal").write_bytes(wal.read_bytes())
    return sqlite3.connect(grafted, isolation_level=None)


def _carry(damaged: sqlite3.Connection, made: sqlite3.Connection, path: Path) -> tuple[int, int, int]:
    """Everything readable from one to the other; (batches, events, events lost)."""
    for table in _tables(damaged, made):
        rows = list(_rows(damaged, f"SELECT * FROM {table}"))
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            made.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows)
    for row in _records(damaged):
        made.execute("INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    accounts = {row[0]: row for row in _rows(damaged, "SELECT * FROM lane")}
    if _lacks(made, accounts):
        _carve(damaged, made, path, accounts)
    # The records' word counts for more than one value on one page.
    made.execute(
        "INSERT OR REPLACE INTO meta SELECT 'epoch', epoch FROM record GROUP BY epoch ORDER BY count(*) DESC "
        "LIMIT 1"
    )
    made.execute("DELETE FROM record WHERE epoch != (SELECT value FROM meta WHERE key = 'epoch')")
    batches = events = lost = 0
    for lane in range(lanes.COUNT):
        held = made.execute(
            "SELECT count(*), coalesce(sum(events), 0), coalesce(sum(size), 0), coalesce(max(seq) + 1, 0) "
            "FROM record WHERE lane = ?",
            (lane,),
        ).fetchone()
        batches, events = batches + held[0], events + held[1]
        lost += _restore_account(made, lane, accounts.get(lane), held)
    return batches, events, lost


def _tables(damaged: sqlite3.Connection, made: sqlite3.Connection) -> list[str]:
    """The tables that are carried row by row; those that a newer version added are made, too."""
    ours = {row[0] for row in made.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    query = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    for name, statement in _rows(damaged, query):
        if name not in ours and str(name).isidentifier():
            made.execute(statement)
            ours.add(name)
    return sorted(name for name in ours - {"record", "lane"} if not name.startswith("sqlite"))


def _restore_account(made: sqlite3.Connection, lane: int, account: _Row | None, held: _Row) -> int:
    """Write one lane's account so that it closes over the records there are; the events lost."""
    batches, events, size, following = held
    used = size + batches * ROW_OVERHEAD_BYTES
    if account is None:
        following += _SKIPPED_NUMBERS
        account = (lane, following, NO_PREVIOUS, following, events, 0, events, used)
    _, following, digest, leased, total, delivered, pending, _ = account
    made.execute(
        "INSERT INTO lane VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (lane, following, digest, leased, total, delivered, events, used),
    )
    known = made.execute("SELECT coalesce(sum(events), 0) FROM loss WHERE lane = ?", (lane,)).fetchone()[0]
    missing = int(total - delivered - events - known)
    if missing > 0:
        made.execute(
            "INSERT INTO loss VALUES (?, 'damaged', ?) ON CONFLICT DO UPDATE SET events = events + "
            "excluded.events",
            (lane, missing),
        )
    return max(0, int(pending - events))


def _lacks(made: sqlite3.Connection, accounts: dict[int, _Row]) -> bool:
    """Whether fewer events were found than the accounts say are pending."""
    held = dict(made.execute("SELECT lane, sum(events) FROM record GROUP BY lane"))
    return len(accounts) < lanes.COUNT or any(held.get(lane, 0) < row[6] for lane, row in accounts.items())


def _carve(
    damaged: sqlite3.Connection, made: sqlite3.Connection, path: Path, accounts: dict[int, _Row]
) -> None:
    """Add records from leaves that no tree leads to any more. Pages that are no longer in use hold records
    that were delivered or given up, too: of each lane the newest count, as many as were pending.
    """
    with contextlib.suppress(sqlite3.Error):
        damaged.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page_size = int(made.execute("PRAGMA page_size").fetchone()[0])
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for row in carve(content, page_size):
            with contextlib.suppress(sqlite3.Error, OverflowError):
                made.execute("INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    made.execute(
        "DELETE FROM record WHERE EXISTS (SELECT 1 FROM hole h WHERE h.lane = record.lane "
        "AND record.seq BETWEEN h.first AND h.last)"
    )
    for lane, account in accounts.items():
        room = account[6]
        newest = "SELECT id, seq, events FROM record WHERE lane = ? ORDER BY seq DESC"
        for number, seq, events in made.execute(newest, (lane,)).fetchall():
            room -= events
            if room < 0 or seq >= account[1]:
                made.execute("DELETE FROM record WHERE id = ?", (number,))


def _records(damaged: sqlite3.Connection) -> Iterator[_Row]:
    """Every record that can be read and matches its checksum, looked up one by one."""
    every = "id, sensor, epoch, lane, seq, events, digest, added_us, size, crc32, sealed"
    for number in _numbers(damaged):
        try:
            checked = damaged.execute(f"SELECT {COLUMNS} FROM record WHERE id = ?", (number,)).fetchone()
            if checked is None:
                continue
            as_record(checked)
            yield damaged.execute(f"SELECT {every} FROM record WHERE id = ?", (number,)).fetchone()
        except (sqlite3.DatabaseError, DamagedRecord, TypeError):
            log.warning("record %d of the damaged spool cannot be read", number)


def _numbers(damaged: sqlite3.Connection) -> Iterable[int]:
    """Ids of records that may exist: from the table and its index as far as they can be walked, and those
    beside and between what was found. Damaged pages give out any number: wide gaps are not tried.
    """
    found: set[int] = set()
    for query in (
        "SELECT id FROM record NOT INDEXED ORDER BY id",
        "SELECT id FROM record NOT INDEXED ORDER BY id DESC",
        "SELECT id FROM record INDEXED BY sqlite_autoindex_record_1 ORDER BY sensor, epoch, lane, seq",
        "SELECT id FROM record INDEXED BY sqlite_autoindex_record_1 ORDER BY sensor DESC, epoch DESC, "
        "lane DESC, seq DESC",
        "SELECT seq FROM sqlite_sequence WHERE name = 'record'",
    ):
        for row in _rows(damaged, query):
            if isinstance(row[0], int):
                found.add(row[0])
            if len(found) > _MAX_NUMBERS:
                break
    tried: set[int] = set()
    before = 0
    for number in sorted(found):
        tried.update(range(before + 1 if 0 <= number - before <= _WIDEST_GAP else number, number + 1))
        before = number
    return sorted(tried)


def _rows(database: sqlite3.Connection, query: str) -> Iterator[_Row]:
    """Rows up to the first that cannot be read."""
    try:
        yield from database.execute(query)
    except sqlite3.DatabaseError as error:
        log.warning("the damaged spool: %s: %s", query.partition(" ORDER")[0], error)


def _put_aside(path: Path) -> Path:
    """Give the damaged file, and what belongs to it, the next free name; that name."""
    number = 1
    while (aside := _with(path, f".damaged-{number}")).exists():
        number += 1
    for suffix in _SIDE_FILES:
        side = _with(path, suffix)
        if side.exists():
            side.rename(_with(aside, suffix))
    if path.exists():
        path.rename(aside)
    sync_directory(path.parent)
    return aside


def _with(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
