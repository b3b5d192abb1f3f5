"""The benchmark's arithmetic, tables and pictures from canned runs; a real pair where there is a Suricata."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import chart
import paired_chart
import pytest
import tables
from chart import Bar, Box, Chart, Stack
from figures import FLOOR, STAGES, Sensor, Stages, ratios
from runs import Run, RunError, execute

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
SVG = "{http://www.w3.org/2000/svg}"


def run(cpu: float, wall: float = 1.0, mib: int = 100) -> Run:
    return Run(cpu * 0.75, cpu * 0.25, wall, mib * MIB)


@pytest.fixture
def ours() -> Sensor:
    return Sensor(
        "haidang",
        "haidang replay",
        packets=1_000_000,
        cold=[run(8.0, 5.0), run(8.0, 6.0), run(8.0, 7.0)],
        start=[run(0.5, 0.5), run(0.5, 0.4), run(0.5, 0.6)],
        full=[run(2.5, 2, 300), run(2.0, 2, 310), run(4.5, 2, 290)],
        events=Counter(flow=20, alert=3, http=7),
    )


@pytest.fixture
def theirs() -> Sensor:
    return Sensor(
        "suricata",
        "suricata -r",
        packets=1_000_000,
        start=[run(40.0, 20), run(40.0, 24), run(40.0, 28)],
        full=[run(46.0, 9, 600), run(46.0, 9, 620), run(48.0, 9, 580)],
        events=Counter(flow=20, alert=4, dns=5),
    )


@pytest.fixture
def found() -> Stages:
    return Stages(
        packets=1_000_000,
        stages=dict(zip(STAGES, (50.0, 100.0, 150.0, 200.0, 250.0, 300.0, 350.0, 400.0), strict=True)),
        timed_total=2000.0,
        plain_total=1900.0,
        floor={"read": 60.0, "decode": 160.0, "scan": 760.0},
        narrowed=380.0,
        scanned_bytes=300_000_000,
        scans=600_000,
    )


def test_start_up_is_no_cost_of_packets(ours: Sensor, theirs: Sensor) -> None:
    assert ours.packet_seconds == [2.0, 1.5, 4.0]
    assert (ours.us_per_packet.median, ours.us_per_packet.low, ours.us_per_packet.high) == (2.0, 1.5, 4.0)
    assert ours.packets_per_second == 500_000
    assert theirs.us_per_packet.median == 6.0


def test_ratios_are_of_pairs_and_more_than_one_is_better(ours: Sensor, theirs: Sensor) -> None:
    found = {ratio.name: ratio.spread for ratio in ratios(ours, theirs)}
    speed = found["packets per CPU second"]
    assert (speed.median, speed.low, speed.high) == (3.0, 2.0, 4.0)
    cold, warm = found["start-up, cold, wall"], found["start-up, warm, wall"]
    assert (cold.median, cold.low, cold.high) == (4.0, 4.0, 4.0)
    assert warm.median == pytest.approx(46.667, abs=0.001)
    assert found["peak memory"].median == 2.0


def test_a_sensor_without_a_cache_starts_cold_every_time(theirs: Sensor) -> None:
    assert theirs.start_wall(cold=True) == theirs.start_wall(cold=False)


def test_too_few_packets_are_told(ours: Sensor) -> None:
    assert not ours.is_too_short
    ours.start[1] = run(1.0)
    assert ours.is_too_short
    assert "too few packets" in tables.sensor_table([ours])
    ours.full = ours.start
    assert ours.packets_per_second is None
    assert tables.sensor_table([ours]).splitlines()[2].split()[-1] == "?"


def test_a_floor_too_low_to_measure_is_told(found: Stages) -> None:
    found.floor = dict.fromkeys(found.floor, 0.0)
    found.narrowed = 0.0
    assert found.times_floor is None
    assert found.times_narrowed is None
    assert [line.split()[-1] for line in tables.stage_table(found).splitlines()].count("?×") == 2


def test_the_tables_say_what_was_found(ours: Sensor, theirs: Sensor, found: Stages) -> None:
    table = tables.sensor_table([ours, theirs]).splitlines()
    assert table[1].split() == [
        "CPU",
        "µs",
        "per",
        "packet",
        *["2.00", "(1.50", "..", "4.00)", "6.00", "(6.00", "..", "8.00)"],
    ]
    assert table[2].split()[-2:] == ["500,000", "166,667"]
    assert table[4].split()[-8:] == ["300", "(290", "..", "310)", "600", "(580", "..", "620)"]
    assert table[7].endswith("no cache")
    assert "×3.00 (2.00 .. 4.00)" in tables.ratio_table(ours, theirs)
    events = [line.split() for line in tables.event_table(ours, theirs).splitlines()]
    assert events[1:] == [
        ["flow", "20", "20"],
        ["http", "7", "0", "+7"],
        ["dns", "0", "5", "-5"],
        ["alert", "3", "4", "-1"],
        ["all", "30", "29"],
    ]
    stages = [line.split() for line in tables.stage_table(found).splitlines()]
    assert [line[0] for line in stages[1:9]] == list(STAGES)
    assert ["scan", "600"] in stages
    assert ["all", "by", "floor", "2.50×"] in stages
    assert ["all", "by", "that", "floor", "5.00×"] in stages
    assert found.outside == 200.0


def test_the_picture_has_a_bar_for_every_figure(ours: Sensor, theirs: Sensor, found: Stages) -> None:
    root = ElementTree.fromstring(paired_chart.draw(ours, theirs, found, "packets & <rules>"))
    assert root.findtext(f"{SVG}title") == "packets & <rules>"
    assert root.get("viewBox") == "0 0 800 620"
    texts = [text.text or "" for text in root.iter(f"{SVG}text")]
    for said in (
        "2.00",
        "6.00",
        "0.500",
        "CPU µs per packet",
        "seconds, wall clock",
        "MiB resident",
        *STAGES,
    ):
        assert any(said in text for text in texts), said
    inside(root)


def inside(root: ElementTree.Element) -> None:
    """Everything lies on the sheet, and no text is too small to read."""
    height = float(root.get("height", ""))
    for shape in root.iter(f"{SVG}rect"):
        x, y = float(shape.get("x", 0)), float(shape.get("y", 0))
        assert 0 <= x <= x + float(shape.get("width", "")) <= chart.WIDTH
        assert 0 <= y <= y + float(shape.get("height", "")) <= height
    for text in root.iter(f"{SVG}text"):
        assert int(text.get("font-size", "")) >= chart.SMALL
        wide = len(text.text or "") * int(text.get("font-size", "")) * chart.CHAR_PIXELS
        left = (
            float(text.get("x", ""))
            - {"start": 0, "middle": wide / 2, "end": wide}[text.get("text-anchor", "")]
        )
        assert left >= 0 and left + wide <= chart.WIDTH, text.text
        assert 0 < float(text.get("y", "")) < height


@pytest.mark.parametrize(
    ("top", "expected"),
    [(8, [0, 2, 4, 6, 8]), (0.034, [0, 0.01, 0.02, 0.03, 0.04]), (701, [0, 200, 400, 600, 800]), (0, [0, 1])],
)
def test_ticks_are_round_and_reach_the_top(top: float, expected: list[float]) -> None:
    assert chart.ticks(top) == pytest.approx(expected)


def test_bars_are_as_high_as_their_figures() -> None:
    drawing = Chart(300, "bars")
    chart.bars(drawing, Box(50, 50, 200, 200), "x", "s", [Bar("a", 5, 4, 6), Bar("b", 10, 10, 10)])
    root = ElementTree.fromstring(drawing.svg())
    heights = [float(rect.get("height", "")) for rect in root.iter(f"{SVG}rect")][1:]
    assert heights == [100, 200]


def test_parts_of_a_stack_lie_end_to_end() -> None:
    drawing = Chart(300, "stacks")
    chart.stacks(
        drawing, Box(50, 50, 400, 100), "x", "ns", [Stack("a", {"p": 10, "q": 30}), Stack("b", {"q": 20})]
    )
    root = ElementTree.fromstring(drawing.svg())
    rects = [
        (float(r.get("x", "")), float(r.get("width", ""))) for r in root.iter(f"{SVG}rect") if r.get("x")
    ]
    assert rects[:3] == [(50, 100), (150, 300), (50, 200)]


def test_a_run_that_fails_says_how(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no good"):
        execute([sys.executable, "-c", "import sys; sys.exit('no good')"], tmp_path / "console")


def test_a_run_is_measured(tmp_path: Path) -> None:
    held = execute([sys.executable, "-c", "x = b'x' * (80 << 20); sum(range(10**6))"], tmp_path / "console")
    assert held.peak_bytes > 80 * MIB
    assert 0 < held.cpu_seconds < held.wall_seconds * 4


@pytest.mark.skipif(not shutil.which("suricata"), reason="suricata is not installed")
def test_one_pair(tmp_path: Path) -> None:
    if not list((ROOT / "sensor").glob("_engine*.so")):
        pytest.skip("the engine is not built (make setup)")
    rules = tmp_path / "x.rules"
    rules.write_text('alert dns any any -> any any (msg:"a query"; dns.query; content:"."; sid:1;)\n')
    command = [
        sys.executable,
        "tests/bench/paired.py",
        "--runs",
        "1",
        "--at-least",
        "0",
        "--rules",
        str(rules),
    ]
    captures = [str(path) for path in sorted((ROOT / "pcaps").glob("dns-*.pcap"))]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out"), "--laps", "100", "--pcap", *captures],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((tmp_path / "out" / "bench.json").read_text())
    mine, others = record["sensors"]
    assert mine["packets"] == others["packets"] > 5000
    assert mine["events"]["alert"] == record["alerts"]["ours"] > 500
    assert others["events"]["alert"] == record["alerts"]["suricata"] > 500
    assert (len(mine["cold"]), len(mine["start"]), len(mine["full"]), len(others["cold"])) == (1, 1, 1, 0)
    assert set(record["stages"]["stages"]) == set(STAGES)
    assert set(record["stages"]["floor"]) == set(FLOOR)
    assert record["machine"]["cores"] and record["versions"]["suricata"]
    inside(ElementTree.fromstring((tmp_path / "out" / "bench.svg").read_text()))
