"""The store's bench at a size that tests have time for: it fills, asks everything, and tells what is slow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("chdb", reason="the centre's extra is not installed")

import store
from store_events import COMMON, groups, plan


def test_it_asks_everything_and_tells_what_is_slow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "--count",
        "30000",
        "--rounds",
        "1",
        "--out",
        str(tmp_path),
        "--keep",
        str(tmp_path / "kept"),
    ]
    assert store.main([*arguments, "--limit-ms", "60000"]) == 0
    told = capsys.readouterr().out
    assert "30,000 events" in told and "ClickHouse server: skipped, none was given" in told
    record = json.loads((tmp_path / "store.json").read_text())
    assert record["events"] == 30000 and 50 < record["bytes_per_event"] < 1000
    rows = {name: entry["rows"][0] for name, entry in record["questions"].items()}
    assert rows["the newest 100 alerts"] == 100 and rows["one flow, everything"] == 4
    assert rows["a busy address, its last 100 events"] > 0 and rows["one sensor over a day, step by step"] > 0
    assert store.main([*arguments, "--limit-ms", "0.001"]) == store.EXIT_SLOW
    assert "too slow: one flow, everything" in capsys.readouterr().err


def test_a_server_is_asked_the_same_and_left_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no ClickHouse server here; the store daemon answers to the same client over the same HTTP."""
    with store.embedded(tmp_path) as client:
        told = json.loads((tmp_path / "endpoint.json").read_text())
        url = f"http://haidang:{told['password']}@127.0.0.1:{told['port']}"
        arguments = ["--count", "5000", "--rounds", "1", "--out", str(tmp_path), "--url", url]
        assert store.main([*arguments, "--limit-ms", "60000"]) == 0
        assert "ClickHouse 2" in capsys.readouterr().out
        there = f"SELECT count() FROM system.databases WHERE name = '{store.DATABASE}'"
        assert client.query(there).result_rows == [(0,)]
        client.command(f"CREATE DATABASE {store.DATABASE}")
        assert store.main(arguments) == store.EXIT_CANNOT_RUN
        assert "drop it first" in capsys.readouterr().err
        assert client.query(there).result_rows == [(1,)]


def test_no_server_no_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path)]
    assert store.main(["--url", "http://127.0.0.1:1", *out]) == store.EXIT_CANNOT_RUN
    assert store.main(["--url", "nonsense", *out]) == store.EXIT_CANNOT_RUN
    assert "store: " in capsys.readouterr().err


def test_the_events_are_the_same_in_every_run_and_are_events() -> None:
    one = [lines for _, lines in groups(plan(1_790_000_000), 20_000, 5_000)]
    assert one == [lines for _, lines in groups(plan(1_790_000_000), 20_000, 5_000)]
    events = [json.loads(line) for lines in one for _, line in lines]
    assert len(events) == 20_000 and {"alert", "flow", "dns"} <= {event["event_type"] for event in events}
    assert any(COMMON.title() in event.get("payload_printable", "") for event in events)
