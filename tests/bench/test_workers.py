"""What two numbers of workers write is compared line by line; how fast, round by round."""

from __future__ import annotations

import json
from pathlib import Path

from runs import Run
from workers import Workers, difference, sorted_events, speed_up, told

MIB = 1 << 20


def run(wall: float) -> Run:
    return Run(1.0, 0.0, wall, MIB)


def workers(number: int, start: list[float], full: list[float]) -> Workers:
    return Workers(number, 1_000_000, [run(wall) for wall in start], [run(wall) for wall in full])


def test_start_up_does_not_count() -> None:
    one, two = workers(1, [1.0, 2.0, 1.0], [5.0, 6.0, 9.0]), workers(2, [1.0, 1.0, 1.0], [3.0, 3.0, 6.0])
    assert one.rates == [250_000, 250_000, 125_000]
    ratio = speed_up(one, two)
    assert (ratio.median, ratio.low, ratio.high) == (2.0, 1.6, 2.0)


def eve(folder: Path, name: str, events: list[dict[str, object]]) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events))
    return path


def test_order_and_the_time_of_statistics_make_no_difference(tmp_path: Path) -> None:
    a: dict[str, object] = {"event_type": "flow", "flow_id": 1}
    b: dict[str, object] = {"event_type": "alert", "flow_id": 2}
    stats: dict[str, object] = {
        "event_type": "stats",
        "timestamp": "t",
        "stats": {"uptime": 1, "decoder": {"pkts": 9}},
    }
    later = stats | {"timestamp": "u", "stats": {"decoder": {"pkts": 9}, "uptime": 2}}
    one, two = eve(tmp_path, "one", [a, b, stats]), eve(tmp_path, "two", [b, later, a])
    assert difference(sorted_events(one), sorted_events(two)) == []


def test_every_difference_is_told(tmp_path: Path) -> None:
    a: dict[str, object] = {"event_type": "flow", "flow_id": 1}
    one = sorted_events(eve(tmp_path, "one", [a, a]))
    two = sorted_events(
        eve(tmp_path, "two", [a, a | {"flow_id": 2}, {"event_type": "stats", "stats": {"x": 1}}])
    )
    found = difference(one, two)
    assert [line[0] for line in found] == ["-", "+", "+"]
    assert told(found, tmp_path / "differences").startswith("3 lines DIFFER ({'flow': 2, 'stats': 1})")
    assert (tmp_path / "differences").read_text().count("\n") == 3
    assert told([], tmp_path / "differences") == "the same events"
