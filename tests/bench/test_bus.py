"""The bench of the bus measures what it says: small runs of both kinds, and its reckoning of delays."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).with_name("bus.py")


def test_a_small_run_ships_everything_and_finds_it(tmp_path: Path) -> None:
    pytest.importorskip("chdb")
    options = ["--sensors", "4", "--seconds", "1", "--only", "delay-many", "--out", tmp_path]
    done = subprocess.run(
        [sys.executable, BENCH, *options],
        capture_output=True, text=True, timeout=110, check=False, cwd=BENCH.parents[2],
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    found = json.loads((tmp_path / "bus.json").read_text())["delay-many"]
    assert found["sensors"] == 4 and found["events"] >= 9_000 and found["alerts"] > 500
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]
