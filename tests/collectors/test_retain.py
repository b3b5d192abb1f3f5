"""What the store forgets, by class and quota, and that it says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("chdb", reason="the centre's extra is not installed")

from hypothesis import given
from hypothesis import strategies as st
from stored import DATABASE, Store, eve

from collectors.store import schema
from collectors.store.retain import Piece, doomed, held, retain
from sensor.bus import lanes

TODAY = date(2026, 3, 1)
ALERT, HEALTH, EVIDENCE, LOGS = range(lanes.COUNT)


def piece(age: int, lane: int, size: int = 100) -> Piece:
    return Piece(TODAY - timedelta(days=age), lane, 10, size)


def test_each_class_is_kept_for_its_days() -> None:
    pieces = [piece(age, lane) for age in (0, 10, 11, 400) for lane in (ALERT, LOGS)]
    going = doomed(pieces, {"logs": 10}, 0, TODAY)
    assert [(entry.day, entry.lane, entry.reason) for entry in going] == [
        (TODAY - timedelta(days=11), LOGS, "age"), (TODAY - timedelta(days=400), LOGS, "age"),
    ]  # fmt: skip
    assert doomed(pieces, {"alert": 0}, 0, TODAY) == []


def test_beyond_the_quota_the_oldest_of_the_least_goes_first() -> None:
    pieces = [piece(age, lane) for age in (0, 1, 2) for lane in (ALERT, EVIDENCE, LOGS)]
    for quota, expected in (
        (900, []),
        (899, [(2, LOGS)]),
        (700, [(2, LOGS), (1, LOGS)]),
        (600, [(2, LOGS), (1, LOGS), (2, EVIDENCE)]),
        (1, [(2, LOGS), (1, LOGS), (2, EVIDENCE), (1, EVIDENCE), (2, ALERT), (1, ALERT)]),
    ):
        going = doomed(pieces, {}, quota, TODAY)
        assert [((TODAY - entry.day).days, entry.lane) for entry in going] == expected
        assert {entry.reason for entry in going} <= {"quota"}


_PIECES = st.lists(
    st.builds(piece, st.integers(0, 50), st.integers(0, 3), st.integers(0, 1000)),
    unique_by=lambda entry: (entry.day, entry.lane),
)


@given(
    _PIECES,
    st.dictionaries(st.sampled_from(lanes.NAMES), st.integers(0, 60)),
    st.integers(0, 20_000),
)
def test_nothing_goes_twice_or_today_and_the_quota_is_met_if_it_can_be(
    pieces: list[Piece], days: dict[str, int], quota: int
) -> None:
    going = doomed(pieces, days, quota, TODAY)
    places = [(entry.day, entry.lane) for entry in going]
    assert len(set(places)) == len(places) and all(day < TODAY for day, _ in places)
    left = [entry for entry in pieces if (entry.day, entry.lane) not in places]
    if quota and sum(entry.bytes for entry in left) > quota:
        assert all(entry.day == TODAY for entry in left)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.stop()


def put(client: Any, age: int, lane: int, count: int) -> None:
    received = int(datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC).timestamp()) - age * 86_400
    kind = "alert" if lane == ALERT else "flow"
    rows = [
        b"tap1\t1\t%d\t%d\t%d\t%d\t%b\n" % (lane, age, received * 10**6, n, eve(n, kind))
        for n in range(count)
    ]
    client.raw_insert(f"{DATABASE}.inbox", schema.INBOX_COLUMNS, b"".join(rows), fmt="TSVRaw")


def counts(client: Any) -> dict[tuple[int, int], int]:
    return {((TODAY - entry.day).days, entry.lane): entry.events for entry in held(client, DATABASE)}


def test_the_store_forgets_and_says_what(store: Store) -> None:
    client = store.client()
    for age, lane, count in ((0, LOGS, 5), (20, ALERT, 7), (20, LOGS, 30), (40, LOGS, 40)):
        put(client, age, lane, count)
    gone = retain(client, DATABASE, {"logs": 10, "alert": 100}, 0, today=TODAY)
    assert [(entry.events, entry.reason) for entry in gone] == [(40, "age"), (30, "age")]
    assert counts(client) == {(0, LOGS): 5, (20, ALERT): 7}
    assert retain(client, DATABASE, {"logs": 10, "alert": 100}, 0, today=TODAY) == []
    assert client.query(f"SELECT count() FROM {DATABASE}.events WHERE event_type = 'alert'").result_rows == [
        (7,)
    ]
    gone = retain(client, DATABASE, {}, 1, today=TODAY)
    assert [(entry.events, entry.reason) for entry in gone] == [(7, "quota")]
    assert counts(client) == {(0, LOGS): 5}, "the present day stays"
    told = client.query(
        f"SELECT toString(day), class, events, reason FROM {DATABASE}.retired ORDER BY events"
    )
    assert told.result_rows == [
        ("2026-02-09", "alert", 7, "quota"),
        ("2026-02-09", "logs", 30, "age"),
        ("2026-01-20", "logs", 40, "age"),
    ]
    client.close()
