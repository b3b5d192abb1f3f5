"""Retention, backup and restore of a store that is a ClickHouse server. There is none here: the daemon, the
same engine behind the same interface, stands for one machine; of a cluster the statements are golden, parsed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import zstandard
from stored import DATABASE, Store

from collectors import backup, transfer
from collectors.home import Home, Settings
from collectors.journal import Journal
from collectors.registry import Registry
from collectors.store import schema
from collectors.store.retain import forget_statement, mutations_query, parts_query
from collectors.store.schema import Cluster
from sensor.errors import UserError

NATION = Cluster("nation")
ODD = rb'{"event_type":"dns","dns":{"rrname":"a\tb\n\u0000c"},"x":"\\"}'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "server").mkdir()
    made = Store(tmp_path / "server")
    yield made
    made.stop()


@pytest.fixture
def home(tmp_path: Path, store: Store) -> Home:
    told = json.loads(store.endpoint.read_bytes())
    made = Home(tmp_path / "centre")
    made.create(Settings(store_url=f"http://haidang:{told['password']}@{told['host']}:{told['port']}"))
    Registry(made.registry_file).close()
    Journal(made.journal_file).close()
    client = store.client()
    for day in range(3):
        rows = [
            b"tap1\t1\t0\t%d\t%d\t%d\t%b\n" % (day, (1_700_000_000 + 86_400 * day) * 10**6, n, ODD)
            for n in range(50)
        ]
        client.raw_insert(f"{DATABASE}.inbox", schema.INBOX_COLUMNS, b"".join(rows), fmt="TSVRaw")
    client.command(
        f"INSERT INTO {DATABASE}.retired VALUES ('2026-01-01', 'logs', 5, 'age', '2026-01-02 00:00:00')"
    )
    client.close()
    return made


def contents(store: Store) -> list[object]:
    client = store.client()
    found = [
        client.query(f"SELECT * FROM {DATABASE}.{table} ORDER BY ALL").result_rows
        for table in ("events", "retired")
    ]
    client.close()
    return found


def test_a_backup_comes_back_into_an_empty_server_as_it_was(tmp_path: Path, store: Store, home: Home) -> None:
    before = contents(store)
    index = backup.back_up(home, tmp_path / "copy")
    events = {name: file.rows for name, file in index.files.items() if name.startswith("store/events-")}
    assert sorted(events.values()) == [50, 50, 50] and all(name.endswith(".tsv.zst") for name in events)
    assert backup.check(tmp_path / "copy") == index
    with pytest.raises(UserError, match="has events already"):
        backup.restore(tmp_path / "copy", Home(tmp_path / "early"))
    client = store.client()
    client.command(f"DROP DATABASE {DATABASE}")
    client.close()
    made = Home(tmp_path / "again")
    backup.restore(tmp_path / "copy", made)
    assert contents(store) == before and made.load()[0] == home.load()[0]


def test_large_tables_come_back_in_pieces_and_torn_files_are_refused(
    tmp_path: Path, store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_PIECE_BYTES", 700)
    before = contents(store)
    client = store.client()
    columns = backup._columns(client, DATABASE, "events")
    path = tmp_path / "x.tsv.zst"
    assert transfer.export_lines(client, DATABASE, "events", columns, "seq < 2", path) == 100
    assert path.stat().st_mode & 0o777 == 0o600
    assert transfer.export_lines(client, DATABASE, "events", columns, "0", tmp_path / "none") == 0
    assert not (tmp_path / "none").exists()
    client.command(f"ALTER TABLE {DATABASE}.events DELETE WHERE seq < 2 SETTINGS mutations_sync = 1")
    transfer.import_lines(client, DATABASE, "events", columns, path)
    assert contents(store) == before
    torn = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())[:-5]
    path.write_bytes(zstandard.ZstdCompressor().compress(torn))
    with pytest.raises(UserError, match="does not end with a whole line"):
        transfer.import_lines(client, DATABASE, "events", columns, path)
    client.close()


def test_what_a_cluster_is_told_to_forget(store: Store) -> None:
    day = date(2026, 1, 31)
    told = [
        forget_statement("haidang", day, None, NATION),
        forget_statement("haidang", day, {3, 2}, NATION),
        parts_query(NATION),
        mutations_query(NATION),
    ]
    assert told == [
        "ALTER TABLE haidang.events_local ON CLUSTER nation DROP PARTITION ID '20260131'",
        "ALTER TABLE haidang.events_local ON CLUSTER nation DELETE IN PARTITION ID '20260131' "
        "WHERE lane IN (2, 3)",
        "SELECT partition, sum(bytes_on_disk) FROM cluster('nation', system.parts) WHERE active AND "
        "database = {db:String} AND table = 'events_local' GROUP BY partition",
        "SELECT count() FROM clusterAllReplicas('nation', system.mutations) WHERE database = {db:String} "
        "AND table = 'events_local' AND NOT is_done",
    ]
    client = store.client()
    for text in told:  # the engine can say whether it would understand
        parsed = client.query("SELECT formatQuery({text:String})", parameters={"text": text}).result_rows
        assert "nation" in parsed[0][0]
    client.close()


def test_a_cluster_needs_a_server_and_a_name() -> None:
    assert Settings(store_cluster="nation").cluster() is None
    assert Settings(store_url="http://x:8123").cluster() is None
    assert Settings(store_url="http://x:8123", store_cluster="nation").cluster() == NATION
