"""Intervals are closed when they are over and in the store, once, and what is said of them stands there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("chdb", reason="the centre's extra is not installed")

from desk import Desk
from prometheus_client import CollectorRegistry, generate_latest
from stored import DATABASE, Store, eve, fill, send

from collectors.connections import Connections
from collectors.metrics import CentreCollector
from collectors.quality.examine import Examiner
from collectors.quality.facts import INTERVAL_SECONDS, begin_of
from collectors.quality.ledger import Ledger
from collectors.store import migrate, schema
from sensor.bus.keys import SensorKeys
from sensor.errors import UserError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    if made.process.poll() is None:
        made.stop()


def stats(uptime: int, packets: int, drops: int, lost: int = 0, imbalances: int = 0) -> bytes:
    told = {
        "uptime": uptime,
        "capture": {"kernel_packets": packets, "kernel_drops": drops},
        "haidang": {
            "event_queue": {"lost_logs": lost, "lost_others": 0},
            "ledger": {"imbalances": imbalances},
        },
    }
    return eve(uptime % 60, "stats", stats=told)


def examiner(desk: Desk, store: Store, now: float) -> Examiner:
    return Examiner(desk.journal, desk.registry, DATABASE, store.client, now=lambda: now)


def rows(client: Any) -> list[dict[str, Any]]:
    answer = client.query(f"SELECT * FROM {DATABASE}.quality FINAL ORDER BY begin, sensor")
    return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]


def test_a_minute_is_closed_once_it_is_over_and_in_the_store(desk: Desk, store: Store) -> None:
    began = time.time()
    worker = examiner(desk, store, began)
    client = store.client()
    assert not worker.close_next(client), "it is not over"
    lines = [eve(1), b"{broken", stats(10, 1000, 0), stats(18, 2000, 100, lost=5)]
    send(desk, lines)
    desk.commit()
    later = began + 2 * INTERVAL_SECONDS
    worker._now = lambda: later
    assert not worker.close_next(client), "it is not in the store"
    fill(desk, store)
    assert worker.close_next(client)
    begin = begin_of(int(began * 1e6))
    (entry,) = Ledger(desk.journal).read(begin, begin + 1) or Ledger(desk.journal).read(begin, begin + 61)
    facts = entry.facts
    assert (facts.events, facts.stored, facts.invalid) == (4, 4, 1)
    assert (facts.kernel_packets, facts.kernel_drops, facts.queue_lost) == (2000, 100, 5)
    assert facts.store_lag_us is not None and 0 <= facts.store_lag_us < 30_000_000
    found = [row for row in rows(client) if json.loads(row["facts"]).get("events")]
    assert len(found) == 1
    row = found[0]
    assert (row["sensor"], row["correct"], row["complete"], row["clean"]) == ("tap1", True, False, False)
    assert row["complete_ratio"] == pytest.approx(4 / 9) and row["clean_ratio"] == 0.75
    assert "100 packets dropped before the engine" in row["reasons"]
    client.close()


def test_a_silent_sensor_has_a_line_and_a_revoked_one_none(desk: Desk, store: Store) -> None:
    desk.enrol("tap1")
    desk.enrol("tap2", SensorKeys.generate())
    desk.registry.revoke("tap2")
    client = store.client()
    # Both were enrolled before; at a boundary, so that the same intervals are over at any time of day.
    began = float(begin_of(time.time_ns() // 1000) + 2 * INTERVAL_SECONDS)
    worker = examiner(desk, store, began)
    worker._now = lambda: began + 3 * INTERVAL_SECONDS
    while worker.close_next(client):
        pass
    found = rows(client)
    assert {row["sensor"] for row in found} == {"tap1"} and len(found) == 2
    assert [(row["live"], row["live_ratio"], row["correct"]) for row in found] == [(False, 0.0, None)] * 2
    assert examiner(desk, store, began + 10**6).close_next(client) is False, (
        "nobody is blamed for our absence"
    )
    client.close()


def test_counters_that_begin_anew_are_not_taken_for_losses(desk: Desk, store: Store) -> None:
    began = time.time()
    worker = examiner(desk, store, began)
    lines = [stats(100_000, 10**9, 10**6), stats(100_008, 10**9 + 50, 10**6 + 1), stats(3, 20, 2)]
    send(desk, lines, lane=1)
    fill(desk, store)
    worker._now = lambda: began + 2 * INTERVAL_SECONDS
    client = store.client()
    while worker.close_next(client):
        pass
    facts = [entry.facts for entry in Ledger(desk.journal).read(0, 2**40) if entry.facts.kernel_packets]
    assert [(each.kernel_packets, each.kernel_drops) for each in facts] == [(70, 3)]
    client.close()


def test_a_clock_that_was_set_back_does_not_stop_the_counting(desk: Desk, store: Store) -> None:
    client = store.client()
    years_ahead = int(time.time()) + 5 * 365 * 86_400
    Ledger(desk.journal).close(years_ahead - years_ahead % INTERVAL_SECONDS, [])
    worker = examiner(desk, store, time.time())
    assert not worker.close_next(client)
    send(desk, [eve(1)])
    fill(desk, store)
    worker._now = lambda: time.time() + 2 * INTERVAL_SECONDS
    assert worker.close_next(client)
    assert any(entry.facts.stored == 1 for entry in Ledger(desk.journal).read(0, 2**40))
    client.close()


def test_prometheus_has_the_words_of_the_last_minute(desk: Desk, store: Store) -> None:
    send(desk, [eve(1), b"{broken"])
    fill(desk, store)
    client = store.client()
    worker = examiner(desk, store, time.time())
    later = time.time() + INTERVAL_SECONDS + 11
    worker._now = lambda: later - later % INTERVAL_SECONDS + 11
    assert worker.close_next(client)
    client.close()

    class Nothing:
        refused_connections = filled_events = failures = 0
        connections = Connections(most=1)

    registry = CollectorRegistry()
    registry.register(CentreCollector(Nothing(), desk.receiver, desk.journal, Nothing()))
    told = generate_latest(registry).decode()
    assert 'haidang_centre_quality_holds{sensor="tap1",word="correct"} 1.0' in told
    assert 'haidang_centre_quality_holds{sensor="tap1",word="clean"} 0.0' in told
    assert 'haidang_centre_quality_ratio{sensor="tap1",word="clean"} 0.5' in told
    assert 'haidang_centre_sensor_lag_seconds{sensor="tap1",stage="store"}' in told


def test_a_store_of_version_1_is_brought_up_and_a_newer_one_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    client = store.client()
    for word in ("by_received", "by_payload"):
        client.command(f"ALTER TABLE {DATABASE}.events DROP INDEX {word}")
    client.command(f"DROP TABLE {DATABASE}.quality SYNC")
    client.command(f"DROP TABLE {DATABASE}.layout SYNC")
    client.command(
        f"INSERT INTO {DATABASE}.events (event_type, payload) SELECT 'alert', 'Old EVENT' FROM numbers(10)"
    )
    assert migrate.bring_up(client, DATABASE) == 0
    assert migrate.bring_up(client, DATABASE) == schema.VERSION
    names = "SELECT name FROM system.data_skipping_indices WHERE table = 'events'"
    assert {"by_received", "by_payload"} <= {row[0] for row in client.query(names).result_rows}
    assert rows(client) == []
    count = f"SELECT count() FROM {DATABASE}.events WHERE lower(payload) LIKE '%event%'"
    assert client.query(count).result_rows == [(10,)]
    client.command(f"INSERT INTO {DATABASE}.layout SELECT {schema.VERSION + 1}, now()")
    with pytest.raises(UserError, match="newer version"):
        migrate.bring_up(client, DATABASE)
    client.close()
    store.stop()
