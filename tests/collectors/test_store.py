"""The store: a real daemon, the real client, every event once, and the questions analysts ask."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("chdb", reason="the centre's extra is not installed")

from desk import Desk
from stored import DATABASE, Store, alert, eve, fill, filler, send

from collectors.store import schema
from collectors.store.client import (
    StoreAddress,
    connect,
    connect_embedded,
    embedded_address,
    server_address,
)
from collectors.store.search import Question, by_type, parse_time, search, size
from sensor.errors import UserError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    if made.process.poll() is None:
        made.stop()


def raws(store: Store, question: Question | None = None) -> list[str]:
    client = store.client()
    try:
        return [found.raw for found in search(client, DATABASE, question or Question(limit=10_000))]
    finally:
        client.close()


def test_the_same_token_twice_has_the_effect_of_once(store: Store) -> None:
    client = store.client()
    data = b"".join(b"tap1\t1\t0\t0\t1790000000000000\t%d\t%b\n" % (n, eve(n)) for n in range(100))
    for token, expected in (("a", 100), ("a", 100), ("b", 200)):
        settings = {**schema.insert_settings(), "insert_deduplication_token": token}
        client.raw_insert(f"{DATABASE}.inbox", schema.INBOX_COLUMNS, data, settings=settings, fmt="TSVRaw")
        assert size(client, DATABASE)[0] == expected
    client.close()


def test_what_the_journal_holds_is_in_the_store_once(desk: Desk, store: Store) -> None:
    lines = [[eve(batch * 10 + n, n=n) for n in range(10)] for batch in range(5)]
    send(desk, *lines)
    fill(desk, store)
    assert sorted(raws(store)) == sorted(line.decode() for batch in lines for line in batch)


@pytest.mark.parametrize("inserted", [0, 7, 30])
def test_an_interrupted_group_is_completed_and_not_doubled(desk: Desk, store: Store, inserted: int) -> None:
    lines = [[eve(batch * 10 + n, n=n) for n in range(10)] for batch in range(3)]
    send(desk, *lines)
    client = store.client()
    desk.journal.set_intent(desk.journal.last_id())
    worker = filler(desk, store)
    rows = [row for record in desk.journal.read(0, 3) for row in worker._rows(record, set())]
    if inserted:
        client.raw_insert(f"{DATABASE}.inbox", schema.INBOX_COLUMNS, b"".join(rows[:inserted]), fmt="TSVRaw")
    client.close()
    fill(desk, store)
    assert sorted(raws(store)) == sorted(line.decode() for batch in lines for line in batch)


def test_the_store_can_be_made_again_from_the_journal(desk: Desk, store: Store) -> None:
    send(desk, [eve(n) for n in range(20)])
    fill(desk, store)
    client = store.client()
    client.command(f"DROP DATABASE {DATABASE} SYNC")
    client.close()
    desk.journal.refill()
    fill(desk, store)
    assert len(raws(store)) == 20


def test_killed_it_comes_back_with_everything(desk: Desk, store: Store) -> None:
    tap = send(desk, [eve(n) for n in range(20)])
    fill(desk, store)
    store.kill()
    store.start()
    send(desk, [eve(n) for n in range(20, 30)], tap=tap)
    fill(desk, store)
    assert len(raws(store)) == 30
    assert store.stop() == 0


def test_what_is_no_event_is_kept_apart(desk: Desk, store: Store) -> None:
    odd = [
        b"{broken",
        b"[1,2]",
        b'{"event_type":5}',
        b"\xff\xfe",
        b'{"event_type":"flow",\t"x":1}',
        b'{"a":"' + b"x" * 70_000 + b'"}',
    ]
    send(desk, odd)
    fill(desk, store)
    assert raws(store) == ['{"event_type":"flow", "x":1}']
    client = store.client()
    assert {(kind, count) for _, kind, count, _, _ in by_type(client, DATABASE)} == {("", 5), ("flow", 1)}
    client.close()


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    directory = tmp_path_factory.mktemp("searched")
    desk, store = Desk(directory), Store(directory)
    lines = [
        eve(0, **alert(2001, "ET MALWARE Beacon 50% done")),
        eve(1, **alert(2002, "ET SCAN it's a 'scan' \\ here"), src_ip="192.0.2.9"),
        eve(2, "http", http={"hostname": "WWW.Example.org", "url": "/a"}),
        eve(3, "tls", tls={"sni": "mail.example.org"}),
        eve(4, "dns", dns={"version": 3, "queries": [{"rrname": "example.org"}]}),
        eve(5, "flow", src_ip="2001:db8::9"),
    ]
    send(desk, lines)
    fill(desk, store)
    client = store.client()
    yield client
    client.close()
    store.stop()
    desk.close()


@pytest.mark.parametrize(
    ("question", "flows"),
    [
        (Question(), {1000, 1001, 1002, 1003, 1004, 1005}),
        (Question(event_type="alert"), {1000, 1001}),
        (Question(sid=2002), {1001}),
        (Question(signature="malware"), {1000}),
        (Question(signature="50% d"), {1000}),
        (Question(signature="it's a 'scan' \\"), {1001}),
        (Question(signature="' OR 1=1 --"), set()),
        (Question(address="192.0.2.9"), {1001}),
        (Question(address="192.0.2.0/24"), {1001}),
        (Question(address="2001:db8::9"), {1005}),
        (Question(address="2001:db8::/64", event_type="flow"), {1005}),
        (Question(host="www.example.org"), {1002}),
        (Question(host="*.example.org"), {1002, 1003}),
        (Question(host="example.org"), {1004}),
        (Question(flow_id=1003), {1003}),
        (Question(sensor="tap1", limit=2), {1005, 1004}),
        (Question(sensor="tap1", limit=2, oldest_first=True), {1000, 1001}),
        (Question(sensor="tap2"), set()),
        (Question(since=datetime(2026, 1, 1, 20, 4, 3, tzinfo=UTC)), {1003, 1004, 1005}),
        (Question(until=datetime(2026, 1, 1, 20, 4, 3, tzinfo=UTC)), {1000, 1001, 1002}),
    ],
)
def test_questions(searched: Any, question: Question, flows: set[int]) -> None:
    assert {json.loads(found.raw)["flow_id"] for found in search(searched, DATABASE, question)} == flows


def test_a_question_that_makes_no_sense_is_said_to(searched: Any) -> None:
    with pytest.raises(UserError, match="no address"):
        list(search(searched, DATABASE, Question(address="10.0.0.0/99")))
    for text in ("yesterday", "", "2026-13-01", "99999999999999999999d", "1e400"):
        with pytest.raises(UserError, match="no time"):
            parse_time(text)
    assert parse_time("2026-01-02").tzinfo is UTC


def test_only_the_password_opens_it_and_only_on_loopback(store: Store) -> None:
    address = embedded_address(store.endpoint)
    assert store.endpoint.stat().st_mode & 0o777 == 0o600
    url = f"http://127.0.0.1:{address.port}/?query=SELECT+1"
    for headers in ({}, {"X-ClickHouse-Key": "wrong"}, {"Authorization": "Basic !!!"}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10)
        assert refused.value.code == 401
        refused.value.close()
    good = urllib.request.Request(url, headers={"X-ClickHouse-Key": address.password})
    with urllib.request.urlopen(good, timeout=10) as answer:
        assert answer.read() == b"1\n"
    with pytest.raises(UserError, match="does not answer"):
        connect(StoreAddress("127.0.0.1", address.port, "haidang", "wrong"))


def test_a_daemon_that_was_killed_is_waited_for_until_it_is_back(store: Store) -> None:
    told = json.loads(store.endpoint.read_bytes())
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        stale = {**told, "port": nobody.getsockname()[1]}
        endpoint = store.endpoint.with_name("stale.json")
        endpoint.write_text(json.dumps(stale))
        with pytest.raises(UserError, match="does not answer"):
            connect_embedded(endpoint, patience_seconds=0.3)
        back = threading.Timer(0.5, endpoint.write_text, (json.dumps(told),))
        back.start()
        client = connect_embedded(endpoint, patience_seconds=30)
        back.join()
    assert client.query("SELECT 1").result_rows == [(1,)]
    client.close()


@pytest.mark.parametrize("length", ["", "-5", "99999999999", "9" * 5000, "x"])
def test_what_is_no_request_is_refused_and_the_daemon_goes_on(searched: Any, length: str) -> None:
    port, key = searched.url.rsplit(":", 1)[1], searched.headers["Authorization"]
    head = f"POST / HTTP/1.1\r\nAuthorization: {key}\r\nContent-Length: {length}\r\n\r\n"
    for request in (head.encode(), bytes(range(256)), b"GET /?query=%ff%00 HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as connection:
            connection.sendall(request)
            assert b"200" not in connection.recv(100)
    assert searched.query("SELECT 1").result_rows == [(1,)]


def test_a_bad_statement_is_the_clients_error(store: Store) -> None:
    from clickhouse_connect.driver.exceptions import DatabaseError

    client = store.client()
    with pytest.raises(DatabaseError, match="Unknown"):
        client.query("SELECT nothing")
    assert client.query("SELECT 1").result_rows == [(1,)]
    client.close()


def test_the_ddl_for_a_cluster_is_replicated_and_distributed(store: Store) -> None:
    client = store.client()
    made = schema.statements(DATABASE, schema.Cluster("nation"))
    assert any("ReplicatedMergeTree" in text for text in made) and any(
        "Distributed(nation" in text for text in made
    )
    for text in made:  # there is no cluster here, but the engine can say whether it would understand
        assert (
            "ON CLUSTER nation"
            in client.query("SELECT formatQuery({text:String})", parameters={"text": text}).result_rows[0][0]
        )
    client.close()
    with pytest.raises(ValueError, match="identifier"):
        schema.statements("x; DROP")


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "http://x:99999", "localhost:8123"])
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(UserError, match="ClickHouse URL"):
        server_address(url)


def test_the_url_of_a_server() -> None:
    assert server_address("https://u:p%40@ch.example.org") == StoreAddress(
        "ch.example.org", 8443, "u", "p@", True
    )
