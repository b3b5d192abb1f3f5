"""The journal: groups for the store, the intent, what is kept and what is dropped."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from collectors.journal import Gap, Journal, NewRecord, Quarantined
from sensor.bus.records import DamagedRecord


def add(journal: Journal, count: int, *, events: int = 10, size: int = 100) -> None:
    start = journal.streams("tap1", 1)[0].next if journal.streams("tap1", 1) else 0
    journal.commit([NewRecord("tap1", 1, 0, start + n, events, bytes(32), bytes(size)) for n in range(count)])


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.sqlite")


@pytest.fixture(autouse=True)
def closed(journal: Journal) -> object:
    yield
    journal.close()


def test_groups_keep_their_bounds_and_hold_at_least_one(journal: Journal) -> None:
    add(journal, 5, events=10, size=100)
    assert journal.next_group(0, max_events=25, max_bytes=10**6) == [1, 2]
    assert journal.next_group(0, max_events=10**6, max_bytes=350) == [1, 2, 3]
    assert journal.next_group(2, max_events=1, max_bytes=1) == [3]
    assert journal.next_group(5, max_events=10, max_bytes=10) == []


def test_a_group_never_crosses_midnight(journal: Journal) -> None:
    add(journal, 4)
    with sqlite3.connect(journal.path) as other:
        other.execute("UPDATE record SET added_us = 86400000000 * 20000 + (id > 2) * 86400000000")
    other.close()
    assert journal.next_group(0, max_events=10**6, max_bytes=10**6) == [1, 2]
    assert journal.next_group(2, max_events=10**6, max_bytes=10**6) == [3, 4]


def test_the_intent_survives(journal: Journal, tmp_path: Path) -> None:
    add(journal, 4)
    journal.set_intent(3)
    again = Journal(tmp_path / "journal.sqlite")
    assert again.intent() == (0, 3)
    again.set_filled(3)
    again.close()
    assert journal.intent() == (3, None) and journal.backlog() == (1, 10)


def test_only_what_is_filled_is_dropped_oldest_first(journal: Journal) -> None:
    add(journal, 10, size=1000)
    assert journal.prune(3000) == 0
    journal.set_filled(4)
    assert journal.prune(3000) == 4
    assert journal.prune(3000) == 0
    journal.set_filled(10)
    assert journal.prune(3000) == 3
    assert [record.id for record in journal.read(0, 10)] == [8, 9, 10]


def test_the_same_number_twice_keeps_nothing_of_the_group(journal: Journal) -> None:
    add(journal, 1)
    with pytest.raises(sqlite3.IntegrityError):
        journal.commit(
            [NewRecord("tap1", 1, 1, 0, 1, bytes(32), b"x"), NewRecord("tap1", 1, 0, 0, 1, bytes(32), b"x")]
        )
    assert journal.last_id() == 1 and 1 not in journal.streams("tap1", 1)


def test_gaps_move_the_stream_on(journal: Journal) -> None:
    journal.commit([Gap("tap1", 1, 2, 0, 6, 700, "shed"), Gap("tap1", 1, 2, 7, 6, 0, "chain")])
    stream = journal.streams("tap1", 1)[2]
    assert (stream.next, stream.digest) == (7, b"")
    assert journal.totals()[0][:5] == ("tap1", 2, 7, 0, 700)


def test_the_quarantine_is_bounded(journal: Journal) -> None:
    for _ in range(3):
        journal.commit([Quarantined("tap1", "sealed", b"x")] * 500)
    assert journal.quarantined() == [("tap1", "sealed", 1000)]


def test_a_damaged_record_is_named(journal: Journal) -> None:
    add(journal, 2)
    with sqlite3.connect(journal.path) as other:
        other.execute("UPDATE record SET sealed = x'00' WHERE id = 2")
    other.close()
    with pytest.raises(DamagedRecord) as damage:
        list(journal.read(0, 2))
    assert damage.value.record == 2
