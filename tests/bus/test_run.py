"""From source to spool: batches cut to size, lanes sorted, events left out that an earlier run spooled."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.link import Link
from sensor.bus.seal import MAX_EVENTS, MAX_NDJSON_BYTES, Sealer
from sensor.bus.spool import Spool
from sensor.errors import UserError
from sensor.run import only_one, run, split
from sensor.source import EventsSource, Lines, without_first


def lines(*kinds: str) -> list[bytes]:
    return [
        f'{{"timestamp":"2026-01-02T03:04:05.{number:06d}+0700","event_type":"{kind}","n":{number}}}\n'.encode()
        for number, kind in enumerate(kinds)
    ]


def read(*paths: object) -> tuple[EventsSource, list[bytes]]:
    source = EventsSource([str(path) for path in paths])
    return source, [batch.data for batch in source.batches() if batch is not None]


def test_a_batch_is_split_by_lane_with_its_times() -> None:
    batch = Lines(lines("flow", "alert", "stats", "alert"))
    made = split(batch)
    assert [(pending.lane, pending.events) for pending in made] == [(0, 2), (1, 1), (3, 1)]
    assert made[0].ndjson.count(b'"alert"') == 2
    assert made[0].last_us - made[0].first_us == 3 and made[0].first_us == 1_767_297_845_000_000


def test_more_than_a_batch_may_hold_is_cut() -> None:
    many = split(Lines([b"{}\n"] * (MAX_EVENTS + 1)))
    assert [pending.events for pending in many] == [MAX_EVENTS, 1]
    large = [b'{"x":"%b"}\n' % (b"y" * (MAX_NDJSON_BYTES // 3))] * 4
    assert [pending.events for pending in split(Lines(large))] == [2, 2]
    assert split(Lines([])) == []


def test_what_was_spooled_is_left_out_lane_by_lane() -> None:
    batch = Lines(lines("alert", "flow", "alert", "flow", "flow"))
    skip = [1, 0, 0, 2]
    rest = without_first(batch, skip)
    assert (rest.lane(0)[0], rest.lane(3)[0], skip) == (1, 1, [0, 0, 0, 0])
    assert b'"n":2' in rest.lane(0)[1] and b'"n":4' in rest.lane(3)[1]
    skip = [5, 0, 0, 9]
    assert without_first(batch, skip).events == 0 and skip == [3, 0, 0, 6]


def test_lines_that_are_no_events_are_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    path.write_bytes(b'\n  \nnoise\n{"a":1}\r\n\t{"b":2}\n[1]\n{"c":3}')
    source, made = read(path)
    assert b"".join(made) == b'{"a":1}\n{"b":2}\n{"c":3}\n'
    assert source.warnings == [f"{path}:3: 2 lines are no events (one JSON object a line) and were left out"]


def test_a_line_without_end_does_not_fill_memory(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    with path.open("wb") as file:
        file.write(b'{"x":"')
        for _ in range(12):
            file.write(b"y" * (1 << 20))
        file.write(b'"}\n{"ok":1}\n')
    source, made = read(path)
    assert made == [b'{"ok":1}\n'] and "1 lines" in source.warnings[0]


def test_an_input_is_known_again_and_told_from_others(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"{}\n")
    two.write_bytes(b"{}\n")
    identity = EventsSource([str(one)]).identity
    assert identity == EventsSource([str(one)]).identity != EventsSource([str(two)]).identity
    one.write_bytes(b"{}\n{}\n")
    assert EventsSource([str(one)]).identity != identity
    assert EventsSource(["-"]).identity == ""
    with pytest.raises(UserError, match="no such file"):
        EventsSource([str(tmp_path / "none")])


def test_a_spool_that_breaks_under_way_is_named_and_mended_at_the_next_start(
    tmp_path: Path,
    spool: Spool,
    sealer: Sealer,
    sensor_keys: SensorKeys,
    centre_keys: CentreKeys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "eve.json"
    path.write_bytes(b"".join(lines("flow")))
    link = Link(spool, sensor_keys, centre_keys.public(), "tcp://127.0.0.1:1", software="test")

    def breaks(*_: object, **__: object) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(spool, "append", breaks)
    with pytest.raises(UserError, match="repaired at the start"):
        run(
            EventsSource([str(path)]), [], spool, sealer, link,
            shed=False, stop=threading.Event(), watch=lambda: None,
        )  # fmt: skip


def test_a_full_spool_makes_the_line_wait_and_nothing_is_lost(
    tmp_path: Path, spool: Spool, sealer: Sealer, sensor_keys: SensorKeys, centre_keys: CentreKeys
) -> None:
    path = tmp_path / "eve.json"
    path.write_bytes(b"".join(lines(*["flow"] * 5000)))
    spool.quota_bytes = 25_000  # one batch of a thousand such lines, but not two
    link = Link(spool, sensor_keys, centre_keys.public(), "tcp://127.0.0.1:1", software="test")
    most = 0

    def centre_takes_all() -> None:
        nonlocal most
        most = max(most, spool.pending_batches())
        spool.acknowledge(3, spool.spans()[3].next)

    source = EventsSource([str(path)])
    told = run(source, [], spool, sealer, link, shed=False, stop=threading.Event(), watch=centre_takes_all)
    assert told == 5000 and most <= 2
    (book,) = (book for book in spool.books() if book.made)
    assert (book.made, book.lost) == (5000, {})
    assert spool.begin_input(source.identity, "")[0]


def test_a_second_run_over_one_spool_is_refused(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(UserError, match="running already"), only_one(tmp_path):
        pass
