"""The journal: groups for the store, the intent, what is kept and what is dropped."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from collectors import seen
from collectors.entries import Gap, NewRecord, Quarantined, Relayed
from collectors.journal import Journal
from sensor.bus.layout import POLICY
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


def test_the_same_number_twice_is_kept_once_and_another_batch_under_it_is_quarantined(
    journal: Journal,
) -> None:
    one = NewRecord("tap1", 1, 0, 0, 1, bytes(32), b"x")
    journal.commit([one, one._replace(sealed=b"sealed anew"), one._replace(lane=1)])
    assert journal.last_id() == 2 and journal.quarantined() == []
    journal.commit([one._replace(digest=bytes(range(32)), sealed=b"y")])
    assert journal.last_id() == 2 and journal.quarantined() == [("tap1", "conflict", 1)]
    assert [row[:4] for row in journal.totals()] == [("tap1", 0, 1, 1), ("tap1", 1, 1, 1)]


def test_what_a_relay_brings_is_kept_once_in_any_order_also_after_it_was_dropped(journal: Journal) -> None:
    chance = random.Random(5)
    batches = [NewRecord("tap1", 1, 0, seq, 2, bytes(32), bytes(1000)) for seq in range(40)]
    for number in range(3):
        chance.shuffle(batches)
        journal.commit(
            [
                Relayed(f"hanoi{number}", batch, (9, 0, place), withheld=3, reduced=batch.seq == 7)
                for place, batch in enumerate(batches)
            ]
        )
        journal.set_filled(journal.last_id())
        while journal.prune(20_000):
            pass
    assert journal.last_id() == 40 and journal.streams("hanoi0", 9)[0].next == 40
    with sqlite3.connect(journal.path) as other:
        assert seen.ranges(other, "tap1", 1, 0) == [(0, 39)]
    other.close()
    rows = [row[1:8] for row in seen.origins(journal.path)]
    assert rows[0] == ("hanoi0", 40, 80, 0, 1, 120, 0)
    assert rows[1:] == [(f"hanoi{n}", 0, 0, 0, 0, 0, 40) for n in (1, 2)]


def test_gaps_that_a_relay_tells_of_are_counted_once(journal: Journal) -> None:
    for place, gap in enumerate(
        (
            Gap("tap1", 1, 3, 5, 6, 70, "shed"),
            Gap("tap1", 1, 3, 5, 6, 70, "shed"),
            Gap("tap1", 1, 0, 2, 2, 9, POLICY),
        )
    ):
        journal.commit([Relayed("hanoi", gap, (9, 3, place))])
    (row,) = seen.origins(journal.path)
    assert (row.lost, row.withheld, row.events) == (70, 9, 0)
    assert journal.streams("hanoi", 9)[3].next == 3 and journal.streams("tap1", 1) == {}


def test_a_journal_from_before_knows_what_it_has(tmp_path: Path, journal: Journal) -> None:
    add(journal, 3)
    journal.set_filled(3)
    while journal.prune(0):
        pass
    with sqlite3.connect(journal.path) as other:
        other.execute("DROP TABLE seen")
        other.execute("DROP TABLE origin")
    other.close()
    again = Journal(journal.path)
    again.commit([Relayed("stick", NewRecord("tap1", 1, 0, 1, 10, bytes(32), b"x"))])
    assert again.backlog() == (0, 0)
    again.close()


def test_what_the_relay_still_needs_is_kept_up_to_its_quota(journal: Journal) -> None:
    add(journal, 10, size=1000)
    journal.set_filled(10)
    with sqlite3.connect(journal.path) as other:
        other.execute("INSERT INTO hold VALUES (1, 2, 7000)")
        other.commit()
        assert journal.prune(3000) == 3, "two that it has, and one that its quota cannot keep"
        assert journal.prune(3000) == 0
        other.execute("UPDATE hold SET upto = 10")
        other.commit()
    other.close()
    assert journal.prune(3000) == 4


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
