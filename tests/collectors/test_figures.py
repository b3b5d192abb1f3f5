"""What a centre is asked beside single events: the most frequent, events over time, one flow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from typing import Any

import pytest

pytest.importorskip("chdb", reason="the centre's extra is not installed")

from desk import Desk, Tap
from stored import DATABASE, Store, alert, eve, fill, send

from collectors import conversation
from collectors.store import search as searching
from collectors.store.figures import COUNTS, flow, timeline, top
from collectors.store.search import Question, search
from sensor.bus.keys import SensorKeys
from sensor.errors import UserError

BEGIN = datetime(2026, 1, 1, 20, 4, 0, tzinfo=UTC)  # of eve(0)
HOSTILE = "\x1b]0;owned\x07"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """60 events of tap1, a second apart: 20 alerts of one rule, 10 of another, 10 http, 20 flow; and a flow
    of tap2 with a number that tap1 used.
    """
    directory = tmp_path_factory.mktemp("asked")
    desk, store = Desk(directory), Store(directory)
    lines = [eve(n, **alert(1, "ET one")) for n in range(20)]
    lines += [eve(n, **alert(2, "ET two"), src_ip="192.0.2.9") for n in range(20, 30)]
    lines += [eve(n, "http", http={"hostname": "a.example", "url": "/x"}) for n in range(30, 40)]
    lines += [eve(n, "flow", flow_id=5) for n in range(40, 60)]
    send(desk, lines)
    keys = SensorKeys.generate()
    desk.enrol("tap2", keys)
    text = "GET /100%_done\r\nHost: " + HOSTILE
    send(
        desk,
        [
            eve(0, "flow", flow_id=5, src_ip="192.0.2.77"),
            eve(1, **alert(3, "ET three " + HOSTILE), flow_id=5, payload_printable=text, app_proto="http"),
        ],
        tap=Tap(desk, "tap2", keys),
    )
    fill(desk, store)
    client = store.client()
    yield client
    client.close()
    store.stop()
    desk.close()


def test_the_most_frequent_signatures(asked: Any) -> None:
    found = top(asked, DATABASE, "signature", Question(sensor="tap1"))
    assert [(entry.sid, entry.value, entry.events) for entry in found] == [
        (1, "ET one", 20),
        (2, "ET two", 10),
    ]
    assert found[0].share == pytest.approx(2 / 3)
    assert (found[0].first, found[0].last) == (BEGIN, BEGIN + timedelta(seconds=19, microseconds=19))


@pytest.mark.parametrize(
    ("column", "value", "events"),
    [
        ("type", "alert", 30),
        ("host", "a.example", 10),
        ("url", "/x", 10),
        ("dest", IPv6Address("2001:db8::1"), 60),
        ("ip", IPv6Address("2001:db8::1"), 60),
        ("src", IPv6Address("::ffff:192.0.2.9"), 10),
        ("port", 443, 60),
        ("severity", 1, 30),
        ("proto", "TCP", 60),
        ("sensor", "tap1", 60),
        ("action", "allowed", 30),
    ],
)
def test_whatever_can_be_counted(asked: Any, column: str, value: object, events: int) -> None:
    found = top(asked, DATABASE, column, Question(sensor="tap1"))
    assert (found[0].value, found[0].events) == (value, events)


def test_every_count_runs_and_keeps_its_bound(asked: Any) -> None:
    for column in COUNTS:
        assert len(top(asked, DATABASE, column, Question(limit=1))) <= 1


def test_a_timeline_names_every_step_also_the_empty_ones(asked: Any) -> None:
    step, found = timeline(asked, DATABASE, Question(sensor="tap1"), 10)
    assert step == 10 and [(entry.events, entry.alerts) for entry in found] == [
        (10, 10), (10, 10), (10, 10), (10, 0), (10, 0), (10, 0),
    ]  # fmt: skip
    assert found[0].begin == BEGIN
    _, sparse = timeline(asked, DATABASE, Question(sensor="tap2"), 1)
    assert [entry.events for entry in sparse] == [1, 1]
    assert timeline(asked, DATABASE, Question(sensor="tap3")) == (0, [])
    assert timeline(asked, DATABASE, Question(sensor="tap1"))[0] == 1, "60 steps fit"


def test_a_timeline_is_bounded(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors.store.figures.MAX_STEPS", 59)
    with pytest.raises(UserError, match="larger --step"):
        timeline(asked, DATABASE, Question(sensor="tap1"), 1)


@pytest.mark.parametrize("oldest_first", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 62, 1000])
def test_pages_are_seamless(
    asked: Any, monkeypatch: pytest.MonkeyPatch, rows: int, oldest_first: bool
) -> None:
    everything = Question(limit=100, oldest_first=oldest_first)
    expected = [found.raw for found in search(asked, DATABASE, everything)]
    assert len(expected) == 62
    monkeypatch.setattr(searching, "PAGE_ROWS", rows)
    assert [found.raw for found in search(asked, DATABASE, everything)] == expected
    fifty = Question(limit=50, oldest_first=oldest_first)
    assert [found.raw for found in search(asked, DATABASE, fifty)] == expected[:50]


@pytest.mark.parametrize(
    ("text", "found"), [("get /100%_DONE", 1), ("100_", 0), ("%", 1), ("\\", 0), ("' OR 1", 0)]
)
def test_text_in_the_payload(asked: Any, text: str, found: int) -> None:
    assert len(list(search(asked, DATABASE, Question(text=text)))) == found


def test_a_flow_by_sensor(asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = flow(asked, DATABASE, Question(flow_id=5))
    assert (one.sensor, one.events, one.alerts) == ("tap1", 20, 0)
    assert (two.sensor, two.events, two.alerts, str(two.src_ip.ipv4_mapped)) == ("tap2", 2, 1, "192.0.2.77")
    conversation.print_heading(two, 5)
    asked_for = Question(flow_id=5, sensor="tap2", oldest_first=True)
    assert conversation.print_events(search(asked, DATABASE, asked_for)) == 2
    told = capsys.readouterr().out
    assert "flow 5, tap2: TCP http 192.0.2.77:40000 > [2001:db8::1]:443" in told
    assert "3 ET three" in told and "| GET /100%_done\n" in told
    assert "\x1b" not in told and "\x07" not in told


@pytest.mark.parametrize("kind", [*conversation._SAID, "stats", "made_up"])
@pytest.mark.parametrize("event", [{}, [], 5, "x", {"alert": [1]}, {"http": {"url": "\x1b"}}, {"flow": None}])
def test_any_event_can_be_told(kind: str, event: object) -> None:
    assert "\x1b" not in conversation.said(event, kind)


def test_a_question_beyond_the_engines_bounds_is_refused_and_the_store_stays_up(asked: Any) -> None:
    from clickhouse_connect.driver.exceptions import DatabaseError

    with pytest.raises(DatabaseError, match=r"MEMORY_LIMIT_EXCEEDED"):
        asked.query(
            "SELECT uniqExact(number * number) FROM numbers(100000000)",
            settings={**searching.LIMITS, "max_memory_usage": str(50 * 1024**2)},
        )
    assert json.loads(next(search(asked, DATABASE, Question(limit=1))).raw)["flow_id"]
