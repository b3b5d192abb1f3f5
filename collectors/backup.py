"""A centre in a directory that can be carried away, and made again from it.

Settings, keys and every other small file are copied as they are, SQLite databases by SQLite's own online
copy, the embedded store day by day as compressed Native files, which any later version reads, a ClickHouse
server's as compressed lines. A running
centre goes on meanwhile: the store is taken up to a moment, and the journal's copy says that what came after
it has to be filled in, which the restored centre does.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from collectors.home import Home, Settings
from collectors.serve import store_daemon
from collectors.store import migrate, schema
from collectors.store.client import connect, connect_embedded, server_address
from collectors.transfer import SUFFIX, export_lines, import_lines
from sensor import __version__
from sensor.bus.durable import make_private_directory, sync_directory, write_whole
from sensor.errors import UserError, from_os_error

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

INDEX = "backup.json"
_STORE = "store"
_NATIVE = ".native.zst"  # written and read by the embedded engine
_FOLDERS = ("keys.old", "relay")  # of older keys, and of a centre that relays
_KEYS_TO_BE = ".keys.restoring"
_TABLES = ("events", "quality", "retired")
_START_SECONDS = 60.0
_STATEMENT_SECONDS = 6 * 3600  # a day of a large centre
_BLOCK = 1 << 20


class File(msgspec.Struct, frozen=True):
    """One file of a backup."""

    size: int
    sha256: str
    rows: int = 0


class Index(msgspec.Struct, frozen=True):
    """What a backup holds. files: by path within it."""

    made: int  # seconds since 1970
    software: str
    schema: int
    columns: dict[str, list[str]]
    files: dict[str, File]


def back_up(home: Home, target: Path) -> Index:
    """Write a backup into a new directory. UserError when that cannot be."""
    settings, _ = home.load()
    if target.exists() and any(target.iterdir()):
        raise UserError("is not empty", where=target, fix="give a new directory")
    try:
        make_private_directory(target / _STORE)
        files: dict[str, File] = {}
        with _open_store(home, settings) as (client, is_running):
            migrate.bring_up(client, settings.store_database, settings.cluster())
            upto, moment_us = _boundary(home.journal_file) if is_running else (0, None)
            columns = {}
            for table in _TABLES:
                columns[table] = _columns(client, settings.store_database, table)
                for name, where in _pieces(client, settings.store_database, table, moment_us):
                    path = target / _STORE / f"{name}{SUFFIX if settings.store_url else _NATIVE}"
                    export = export_lines if settings.store_url else _export
                    rows = export(client, settings.store_database, table, columns[table], where, path)
                    if path.exists():
                        files[f"{_STORE}/{path.name}"] = _described(path, rows)
        for source in _small_files(home.directory):
            path = target / source.relative_to(home.directory)
            if path.parent != target:
                make_private_directory(path.parent)
            if source.suffix == ".sqlite":
                _copy_database(source, path)
            else:
                write_whole(path, source.read_bytes(), mode=source.stat().st_mode & 0o777)
            if source == home.journal_file and is_running:
                _fill_from(path, upto)
            files[str(path.relative_to(target))] = _described(path)
        index = Index(int(time.time()), __version__, schema.VERSION, columns, files)
        # Last: with it the backup is whole.
        write_whole(target / INDEX, msgspec.json.format(msgspec.json.encode(index)) + b"\n")
        sync_directory(target)
    except OSError as error:
        raise from_os_error(error, where=target) from error
    return index


def check(source: Path) -> Index:
    """What a backup holds, every file of it read. UserError when something is missing or changed."""
    try:
        index = msgspec.json.decode((source / INDEX).read_bytes(), type=Index)
    except OSError as error:
        raise UserError("is no backup, or not a whole one", where=source) from error
    except msgspec.DecodeError as error:
        raise UserError(f"damaged: {error}", where=source / INDEX) from error
    for name, expected in index.files.items():
        path = source / name
        if ".." in Path(name).parts or Path(name).is_absolute() or not path.is_file():
            raise UserError("is missing", where=path, fix="take another backup")
        if _described(path, expected.rows) != expected:
            raise UserError("is not what was written", where=path, fix="take another backup")
    if index.schema > schema.VERSION:
        raise UserError(f"was made by a newer haidang ({index.software})", where=source, fix="upgrade here")
    return index


def restore(source: Path, home: Home) -> Index:
    """Make a centre from a backup. UserError when there is one, or the backup is not whole."""
    if home.directory.exists() and any(home.directory.iterdir()):
        raise UserError("there is something here already", where=home.directory, fix="give a new directory")
    index = check(source)
    try:
        make_private_directory(home.directory)
        for name in index.files:
            if not _table(name) and name != home.keys_file.name:
                mode = (source / name).stat().st_mode & 0o777
                if "/" in name:
                    make_private_directory((home.directory / name).parent)
                _copy(source / name, home.directory / name, mode)
        _copy(source / home.keys_file.name, home.directory / _KEYS_TO_BE, 0o600)
        settings = home.read_settings()
        with _emptied(home, settings, index) as client:
            for name in index.files:
                if table := _table(name):
                    bring_back = import_lines if name.endswith(SUFFIX) else _import
                    bring_back(client, settings.store_database, table, index.columns[table], source / name)
            _must_have(client, settings.store_database, index)
        # Last: with its keys the centre exists.
        (home.directory / _KEYS_TO_BE).rename(home.keys_file)
        sync_directory(home.directory)
    except OSError as error:
        raise from_os_error(error, where=home.directory) from error
    return index


def _small_files(directory: Path) -> Iterator[Path]:
    for folder in (directory, *(directory / name for name in _FOLDERS)):
        for path in sorted(folder.glob("[!.]*")):
            if path.is_file() and not path.name.endswith(("-wal", "-shm")):
                yield path


@contextlib.contextmanager
def _emptied(home: Home, settings: Settings, index: Index) -> Iterator[Client]:
    """The store that a backup is to come back into, with its tables and nothing in them."""
    is_embedded = any(name.endswith(_NATIVE) for name in index.files)
    if settings.store_url and is_embedded:
        raise UserError(
            "the backup is of an embedded store, and its settings name a ClickHouse server",
            where=home.directory,
        )
    with _server(settings) if settings.store_url else _started(home) as client:
        migrate.bring_up(client, settings.store_database, settings.cluster())
        if client.query(f"SELECT count() FROM {settings.store_database}.events").result_rows[0][0]:
            raise UserError(
                f"the database {settings.store_database} has events already",
                where=settings.store_url.rpartition("@")[2],
                fix="drop it there first, if nothing of it is needed",
            )
        yield client


@contextlib.contextmanager
def _server(settings: Settings) -> Iterator[Client]:
    client = connect(server_address(settings.store_url), answer_seconds=_STATEMENT_SECONDS)
    try:
        yield client
    finally:
        client.close()


@contextlib.contextmanager
def _open_store(home: Home, settings: Settings) -> Iterator[tuple[Client, bool]]:
    """(a client, whether the centre runs). One that does not run is held meanwhile."""
    if settings.store_url:
        is_running = home.is_running()
        with contextlib.nullcontext() if is_running else home.hold(seconds=0), _server(settings) as client:
            yield client, is_running
        return
    if home.is_running():
        client = connect_embedded(
            home.store_endpoint, patience_seconds=_START_SECONDS, answer_seconds=_STATEMENT_SECONDS
        )
        try:
            yield client, True
        finally:
            client.close()
        return
    with home.hold(seconds=0), _started(home) as client:
        yield client, False


@contextlib.contextmanager
def _started(home: Home) -> Iterator[Client]:
    make_private_directory(home.run_directory)
    daemon = store_daemon(home.store_directory, home.store_endpoint, 0)
    daemon.start()
    try:
        client = connect_embedded(
            home.store_endpoint, patience_seconds=_START_SECONDS, answer_seconds=_STATEMENT_SECONDS
        )
        try:
            yield client
        finally:
            client.close()
    finally:
        daemon.stop()


def _boundary(journal: Path) -> tuple[int, int | None]:
    """(record, µs): everything up to this record is in the store, and nothing but that was received up to
    then.
    """
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
        upto = database.execute("SELECT upto FROM filled").fetchone()[0]
        last, before = database.execute(
            "SELECT (SELECT max(added_us) FROM record WHERE id <= ?1), "
            "(SELECT min(added_us) FROM record WHERE id > ?1)",
            (upto,),
        ).fetchone()
        moment = last if last is not None else time.time_ns() // 1000 - 1
        if before is not None:
            moment = min(moment, before - 1)  # what is committed together has the same time
        first_after = database.execute(
            "SELECT min(id) FROM record WHERE id <= ? AND added_us > ?", (upto, moment)
        ).fetchone()[0]
        if first_after is not None:
            odd = database.execute(
                "SELECT count(*) FROM record WHERE id > ? AND id <= ? AND added_us <= ?",
                (first_after, upto, moment),
            ).fetchone()[0]
            if odd:
                raise UserError(
                    "the clock was set back while these batches came",
                    where=journal,
                    fix="stop the centre and back it up then",
                )
            upto = first_after - 1
    return upto, moment


def _pieces(client: Client, database: str, table: str, moment_us: int | None) -> Iterator[tuple[str, str]]:
    """(name, condition) of what becomes a file each."""
    if table != "events":
        yield table, "1"
        return
    until = "" if moment_us is None else f" AND toUnixTimestamp64Micro(received) <= {moment_us}"
    days = client.query(f"SELECT DISTINCT toYYYYMMDD(received) AS day FROM {database}.events ORDER BY day")
    for (day,) in days.result_rows:
        yield f"events-{day}", f"toYYYYMMDD(received) = {day}{until}"


def _columns(client: Client, database: str, table: str) -> list[str]:
    rows = client.query(
        "SELECT name FROM system.columns WHERE database = {db:String} AND table = {table:String} "
        "ORDER BY position",
        parameters={"db": database, "table": table},
    ).result_rows
    return [row[0] for row in rows]


def _export(client: Client, database: str, table: str, columns: list[str], where: str, path: Path) -> int:
    literal, names = _literal(path), ", ".join(columns)
    if not client.query(f"SELECT count() FROM {database}.{table} WHERE {where}").result_rows[0][0]:
        return 0
    client.command(
        f"INSERT INTO FUNCTION file({literal}, 'Native') SELECT {names} FROM {database}.{table} WHERE {where}"
    )
    path.chmod(0o600)
    return int(client.query(f"SELECT count() FROM file({literal}, 'Native')").result_rows[0][0])


def _import(client: Client, database: str, table: str, columns: list[str], path: Path) -> None:
    names = ", ".join(columns)
    client.command(
        f"INSERT INTO {database}.{table} ({names}) SELECT {names} FROM file({_literal(path)}, 'Native')"
    )


def _must_have(client: Client, database: str, index: Index) -> None:
    for table in _TABLES:
        expected = sum(file.rows for name, file in index.files.items() if _table(name) == table)
        found = client.query(f"SELECT count() FROM {database}.{table}").result_rows[0][0]
        if found != expected:
            raise UserError(f"{found:,} rows of {table} came back, not {expected:,}", where=database)


def _table(name: str) -> str:
    """The table that a file of the store belongs to; '' for other files."""
    folder, _, file = name.partition("/")
    return file.partition(".")[0].partition("-")[0] if folder == _STORE else ""


def _literal(path: Path) -> str:
    text = str(path.resolve())
    if any(sign in text for sign in "*?{}[]"):  # ClickHouse would take them for patterns
        raise UserError("the path has signs that stand for several", where=path, fix="give another path")
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{quoted}'"


def _copy_database(source: Path, target: Path) -> None:
    target.touch(mode=0o600)
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")  # one file


def _fill_from(journal: Path, upto: int) -> None:
    """Let a copy of the journal say that the store holds what is up to this record."""
    with contextlib.closing(sqlite3.connect(journal)) as database, database:
        following = database.execute("SELECT min(id) FROM record WHERE id > ?", (upto,)).fetchone()[0]
        if following is not None and following != upto + 1:
            raise UserError(
                "the journal dropped batches meanwhile",
                where=journal,
                fix="stop the centre and back it up then",
            )
        database.execute("UPDATE filled SET upto = ?, intent = NULL", (upto,))


def _described(path: Path, rows: int = 0) -> File:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return File(path.stat().st_size, digest.hexdigest(), rows)


def _copy(source: Path, target: Path, mode: int) -> None:
    target.touch(mode=0o600)
    shutil.copyfile(source, target)
    target.chmod(mode)
