"""The public conformance cases, by tier (a tree with svrun.py, cases.txt, tests/; CONFORMANCE_DIR names it).

The floors are what this version reached when it was committed; a fall below one is a regression. A crash or a
hang of the engine fails whatever the score.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = os.environ.get("CONFORMANCE_DIR")

# tier -> (http-evader, the others): share of cases that must pass
FLOORS = {
    "T1": (0.99, 0.975),
    "T1-neg": (1.0, 1.0),
    "T1v8": (1.0, 0.87),
    "T2": (0.99, 0.975),
    "T2v8": (1.0, 0.84),
}


@pytest.mark.skipif(not FOLDER, reason="CONFORMANCE_DIR is not set")
def test_tiers_hold_their_floor(tmp_path: Path) -> None:
    root = Path(str(FOLDER))
    command = f"{sys.executable} -m sensor.cli replay {{pcap}} [-S {{rules}}] -l {{out}} {{args}}"
    subprocess.run(
        [
            sys.executable,
            str(root / "svrun.py"),
            *("--tests", str(root / "tests")),
            *("--list", str(root / "cases.txt")),
            *("--version", "8.0.0"),
            *("-j", "2"),
            *("--timeout", "60"),
            *("--out", str(tmp_path / "out")),
            *("--json", str(tmp_path / "scores.json")),
            *("--cmd", command),
        ],
        check=False,  # its exit code says that some case failed; the floors decide
        stdout=subprocess.DEVNULL,
        timeout=1500,
    )
    scores = json.loads((tmp_path / "scores.json").read_text())
    for tier, (evader_floor, rest_floor) in FLOORS.items():
        for group, floor in (("http-evader", evader_floor), ("rest", rest_floor)):
            counts = scores["tiers"][tier][group]
            judged = counts.get("PASS", 0) + counts.get("FAIL", 0)
            share = counts.get("PASS", 0) / judged if judged else 1.0
            assert share >= floor, f"{tier} {group}: {share:.3f} < {floor}"
    broken = {
        name: case["why"]
        for name, case in scores["tests"].items()
        if case["why"] and ("timed out" in case["why"] or "exit code -" in case["why"])
    }
    assert not broken, broken
    panicked = [str(path) for path in (tmp_path / "out").rglob("quarantine.pcap")]
    assert not panicked, panicked
