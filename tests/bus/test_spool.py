"""The spool: numbers, books, quota, resumption, damage."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensor.bus.layout import Hole, Pending
from sensor.bus.records import Record
from sensor.bus.seal import MAX_NDJSON_BYTES, NO_PREVIOUS, Sealer, read_envelope
from sensor.bus.spool import Spool, SpoolFull
from sensor.errors import UserError


def batch(lane: int, events: int = 2, size: int = 100) -> Pending:
    line = b'{"x":"%b"}\n' % random.randbytes(size // 2).hex().encode()
    return Pending(lane, events, line * events)


def assert_books_close(spool: Spool) -> None:
    for book in spool.books():
        assert book.made == book.delivered + book.pending + sum(book.lost.values())


def read_lane(spool: Spool, lane: int, at: int = 0) -> list[Record | Hole]:
    """Everything from this number on, as a link would read it."""
    items: list[Record | Hole] = []
    while (item := spool.next_item(lane, at)) is not None:
        items.append(item)
        at = item.seq + 1 if isinstance(item, Record) else item.last + 1
    return items


def test_batches_are_numbered_by_lane_and_chained(spool: Spool, sealer: Sealer) -> None:
    spool.append([batch(0), batch(3)], sealer)
    spool.append([batch(3)], sealer)
    first, second = (read_envelope(item.sealed).header for item in read_lane(spool, 3))
    assert (first.seq, second.seq) == (0, 1)
    assert first.previous == NO_PREVIOUS != second.previous
    assert first.sensor == "tap1" and first.epoch == second.epoch == spool.epoch
    assert read_envelope(read_lane(spool, 0)[0].sealed).header.seq == 0


def test_it_goes_on_where_it_was_after_it_was_closed(tmp_path: Path, sealer: Sealer) -> None:
    path = tmp_path / "again.sqlite"
    spool = Spool(path, "tap1")
    spool.append([batch(1)], sealer)
    epoch = spool.epoch
    spool.close()
    spool = Spool(path, "tap1")
    spool.append([batch(1)], sealer)
    assert spool.epoch == epoch and spool.spans()[1].next == 2
    spool.close()
    assert (path.stat().st_mode & 0o777) == 0o600


def test_acknowledged_batches_are_forgotten_and_counted(spool: Spool, sealer: Sealer) -> None:
    for _ in range(3):
        spool.append([batch(0, events=5)], sealer)
    assert spool.acknowledge(0, 2) == 10
    assert spool.acknowledge(0, 2) == 0
    book = spool.books()[0]
    assert (book.made, book.delivered, book.pending, book.lost) == (15, 10, 5, {})
    assert spool.spans()[0].first == 2
    spool.acknowledge(0, 3)
    assert spool.used_bytes() == 0 and spool.spans()[0].first == 3


def test_at_the_quota_the_lowest_lane_gives_way_oldest_first(tmp_path: Path, sealer: Sealer) -> None:
    spool = Spool(tmp_path / "small.sqlite", "tap1", quota_bytes=60_000)
    for lane in (3, 2, 3, 2, 3):
        spool.append([batch(lane)], sealer)
    per_batch = spool.used_bytes() // 5
    spool.quota_bytes = 5 * per_batch + per_batch // 2
    lost = spool.append([batch(0)], sealer)
    assert lost == {3: 2}
    assert read_lane(spool, 3)[0] == Hole(3, 0, 0, 2, "shed")
    assert len(read_lane(spool, 2)) == 2
    assert_books_close(spool)
    spool.close()


def test_a_lane_never_displaces_a_higher_one(tmp_path: Path, sealer: Sealer) -> None:
    spool = Spool(tmp_path / "small.sqlite", "tap1")
    spool.append([batch(0), batch(1)], sealer)
    spool.quota_bytes = spool.used_bytes()
    assert spool.append([batch(2)], sealer) == {2: 2}
    assert read_lane(spool, 2) == [Hole(2, 0, 0, 2, "shed")]
    assert len(read_lane(spool, 0)) == len(read_lane(spool, 1)) == 1
    assert_books_close(spool)
    with pytest.raises(SpoolFull):
        spool.append([batch(2)], sealer, shed=False)
    assert spool.books()[2].made == 2, "what was not taken must not be counted"
    spool.close()


def test_what_may_have_been_sent_is_never_shed(tmp_path: Path, sealer: Sealer) -> None:
    spool = Spool(tmp_path / "small.sqlite", "tap1")
    spool.append([batch(3)], sealer)
    assert isinstance(spool.next_item(3, 0), Record)
    spool.quota_bytes = spool.used_bytes()
    assert spool.append([batch(0)], sealer) == {0: 2}
    assert isinstance(spool.next_item(3, 0), Record)
    spool.close()


def test_neighbouring_holes_are_one_until_they_were_reported(tmp_path: Path, sealer: Sealer) -> None:
    spool = Spool(tmp_path / "small.sqlite", "tap1", quota_bytes=1)
    for _ in range(3):
        spool.append([batch(3)], sealer)
    assert spool.next_item(3, 0) == Hole(3, 0, 2, 6, "shed")
    spool.append([batch(3)], sealer)
    assert read_lane(spool, 3)[-1] == Hole(3, 3, 3, 2, "shed")
    assert spool.next_item(3, 0) == Hole(3, 0, 2, 6, "shed")
    spool.acknowledge(3, 3)
    assert spool.next_item(3, 3) == Hole(3, 3, 3, 2, "shed")
    spool.close()


def test_a_record_that_rotted_becomes_a_hole(spool: Spool, sealer: Sealer) -> None:
    spool.append([batch(0), batch(0)], sealer)
    with sqlite3.connect(spool.path) as other:
        other.execute("UPDATE record SET sealed = zeroblob(size) WHERE seq = 0")
    other.close()
    assert read_lane(spool, 0)[0] == Hole(0, 0, 0, 2, "damaged")
    assert isinstance(read_lane(spool, 0)[-1], Record)
    assert spool.books()[0].lost == {"damaged": 2}
    assert_books_close(spool)


def test_records_that_vanished_are_a_hole_of_unknown_size(spool: Spool, sealer: Sealer) -> None:
    spool.append([batch(0), batch(0), batch(0)], sealer)
    with sqlite3.connect(spool.path) as other:
        other.execute("DELETE FROM record WHERE seq < 2")
    other.close()
    assert spool.next_item(0, 0) == Hole(0, 0, 1, 0, "missing")


def test_progress_is_noted_with_the_batch(spool: Spool, sealer: Sealer) -> None:
    assert spool.begin_input("one", "a.pcap") == (False, [0, 0, 0, 0])
    spool.append([batch(0, events=3), batch(3, events=4)], sealer, input_id="one")
    spool.append([batch(3, events=1)], sealer, input_id="one")
    assert spool.begin_input("one", "a.pcap") == (False, [3, 0, 0, 5])
    assert spool.begin_input("two", "b.pcap") == (False, [0, 0, 0, 0])
    spool.finish_input("one")
    assert spool.begin_input("one", "a.pcap") == (True, [3, 0, 0, 5])
    spool.forget_input("one")
    assert spool.begin_input("one", "a.pcap") == (False, [0, 0, 0, 0])


def test_whoever_opens_a_new_one_first_makes_it_and_the_others_use_it(tmp_path: Path) -> None:
    def look(path: Path, together: threading.Barrier) -> int:
        together.wait()
        spool = Spool(path, "tap1")
        try:
            return spool.epoch
        finally:
            spool.close()

    with ThreadPoolExecutor(6) as pool:
        for number in range(20):
            path, together = tmp_path / f"{number}.sqlite", threading.Barrier(6)
            looks = [pool.submit(look, path, together) for _ in range(6)]
            assert len({each.result(60) for each in looks}) == 1


def test_another_kind_of_file_is_left_alone(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\xd4\xc3\xb2\xa1" * 5000)
    with pytest.raises(UserError, match="garbage"):
        Spool(garbage, "tap1")
    assert garbage.read_bytes() == b"\xd4\xc3\xb2\xa1" * 5000
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as database:
        database.execute("PRAGMA application_id=77")
        database.execute("CREATE TABLE mine (x)")
    database.close()
    with pytest.raises(UserError, match="another kind"):
        Spool(foreign, "tap1")


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(0, 3), min_size=1, max_size=3)),
        st.tuples(st.just("send"), st.integers(0, 3)),
        st.tuples(st.just("ack"), st.integers(0, 3)),
        st.tuples(st.just("drop"), st.integers(0, 3)),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=25,
)


@given(steps=_STEPS, quota=st.sampled_from([1, 12_000, 30_000, 10**9]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_books_close_and_every_number_is_told_whatever_happens(
    steps: list[tuple[str, object]], quota: int, sealer: Sealer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("spool") / "spool.sqlite"
    spool = Spool(path, "tap1", quota_bytes=quota)
    sent, acknowledged = [0, 0, 0, 0], [0, 0, 0, 0]
    for name, value in steps:
        if name == "append":
            spool.append([batch(lane) for lane in value], sealer)
        elif name == "send":
            item = spool.next_item(value, sent[value])
            if item is not None:
                sent[value] = item.seq + 1 if isinstance(item, Record) else item.last + 1
        elif name == "ack":
            spool.acknowledge(value, sent[value])
            acknowledged[value] = sent[value]
        elif name == "drop" and sent[value]:
            spool.drop(value, sent[value] - 1, "refused")
        elif name == "reopen":
            spool.close()
            spool = Spool(path, "tap1", quota_bytes=quota)
        assert_books_close(spool)
        assert all(book.pending >= 0 for book in spool.books())
    for lane in range(4):
        at = acknowledged[lane]
        for item in read_lane(spool, lane, at):
            first, last = (item.seq, item.seq) if isinstance(item, Record) else (item.first, item.last)
            assert first == at
            at = last + 1
        assert at == spool.spans()[lane].next
    spool.close()


_WRITER = """
import sys
from pathlib import Path
from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.seal import Sealer
from sensor.bus.layout import Pending
from sensor.bus.spool import Spool
spool = Spool(Path(sys.argv[1]), "tap1")
sealer = Sealer(SensorKeys.generate(), CentreKeys.generate().public())
done = spool.begin_input("in", "in")[1]
assert done[0] == done[3]
number = done[0]
print("ready", flush=True)
while True:
    line = b'{"n":%d}\\n' % number
    spool.append([Pending(0, 1, line), Pending(3, 1, line)], sealer, input_id="in")
    number += 1
"""


def test_killed_in_the_middle_it_holds_whole_steps_only(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    chance = random.Random(5)
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0.02, 0.2))
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        spool = Spool(path, "tap1")
        done = spool.begin_input("in", "in")[1]
        spans = spool.spans()
        assert done[0] == done[3] == spans[0].next == spans[3].next > 0
        assert len(read_lane(spool, 0)) == done[0]
        assert_books_close(spool)
        spool.close()


def test_an_event_larger_than_a_batch_is_lost_by_itself(spool: Spool, sealer: Sealer) -> None:
    monster = Pending(0, 1, b'{"x":"' + bytes(MAX_NDJSON_BYTES) + b'"}\n')
    spool.append([batch(0), monster, batch(0)], sealer, input_id="in")
    first, hole, last = read_lane(spool, 0)
    assert isinstance(first, Record) and isinstance(last, Record)
    assert hole == Hole(0, 1, 1, 1, "oversize")
    assert spool.begin_input("in", "in")[1][0] == 5
    assert_books_close(spool)
