"""What two numbers of workers write is compared line by line; how fast, round by round."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from workers import Workers, difference, main, sorted_events, speed_up, told

ROOT = Path(__file__).resolve().parents[2]


def test_rounds_are_compared_one_by_one() -> None:
    one, two = Workers(1, 1_000_000, [4.0, 4.0, 8.0]), Workers(2, 1_000_000, [2.0, 2.5, 5.0])
    assert one.rates == [250_000, 250_000, 125_000]
    ratio = speed_up(one, two)
    assert (ratio.median, ratio.low, ratio.high) == (1.6, 1.6, 2.0)


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


def test_workers_write_what_one_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not list((ROOT / "sensor").glob("_engine*.so")):
        pytest.skip("the engine is not built (make setup)")
    arguments = ["--rules", str(ROOT / "rules" / "dns.rules"), "--runs", "2", "--at-least", "0"]
    arguments += ["--out", str(tmp_path), "--pcap", str(ROOT / "pcaps" / "dns-tunnel.pcap")]
    assert main(arguments) == 0, capsys.readouterr().out
    assert "sorted: the same events" in capsys.readouterr().out
    record = json.loads((tmp_path / "workers.json").read_text())
    assert [len(workers["seconds"]) for workers in record["workers"]] == [2, 2]
