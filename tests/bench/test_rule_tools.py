"""The timings of the rule bench can be taken, and every command of it does its work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

SCRIPT = Path(__file__).with_name("rule_tools.py")


def test_every_command_is_timed(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--runs", "1", "--json", str(figures)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(figures.read_text())
    assert {name.split(",")[0] for name in told} >= {"check", "test", "profile", "diff"}
    assert all(0 < one["shortest"] <= one["median"] for one in told.values())


def test_a_command_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--runs", "1", "--rules", str(tmp_path / "absent.rules")],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 2
    assert "absent.rules" in done.stderr
