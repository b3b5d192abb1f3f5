"""The gate's judgement: what passes, what fails, what it does not judge. `make bench BENCH=gate` counts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import gate
import pytest
from gate import BLESS, Count, judge

BASELINE = Count(100_000_000, 1000, 400, "inputs", {"rustc": "1.95.0", "processor": "x86_64 avx2"})


@pytest.mark.parametrize(("change", "passes"), [(1.04, False), (1.031, False), (1.029, True), (0.5, True)])
def test_more_than_three_percent_fails_and_names_the_way_out(change: float, *, passes: bool) -> None:
    judgement = judge(replace(BASELINE, instructions=round(BASELINE.instructions * change)), BASELINE)
    assert judgement.is_passed is passes
    assert f"{change - 1:+.2%}" in judgement.said
    assert passes or BLESS in judgement.said


def test_a_gain_is_to_be_held() -> None:
    judgement = judge(replace(BASELINE, instructions=90_000_000), BASELINE)
    assert judgement.is_passed
    assert "hold it" in judgement.said
    assert BLESS in judgement.said


def test_another_machine_is_not_compared_and_says_so() -> None:
    other = replace(
        BASELINE, instructions=200_000_000, toolchain={"rustc": "1.99.0", "processor": "x86_64 avx2"}
    )
    judgement = judge(other, BASELINE)
    assert judgement.is_passed
    assert "NOT COMPARED" in judgement.said
    assert "rustc 1.99.0 (baseline 1.95.0)" in judgement.said


def test_other_captures_or_rules_fail_whatever_the_machine() -> None:
    other = replace(BASELINE, inputs="others", toolchain={})
    judgement = judge(other, BASELINE)
    assert not judgement.is_passed
    assert BLESS in judgement.said


def test_compare_ends_with_the_judgement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gate, "BASELINE", tmp_path / "gate.json")
    assert gate.compare(BASELINE, bless=False) == gate.EXIT_ABOVE, "without a baseline nothing passes"
    assert gate.compare(BASELINE, bless=True) == 0
    assert gate.compare(BASELINE, bless=False) == 0
    slow = replace(BASELINE, instructions=104_000_000)
    assert gate.compare(slow, bless=False) == gate.EXIT_ABOVE
    assert "+4.00%" in capsys.readouterr().out
    assert gate.compare(slow, bless=True) == 0
    assert gate.compare(slow, bless=False) == 0


def test_the_baseline_is_of_what_there_is() -> None:
    baseline = gate.read_baseline()
    assert baseline.instructions > 10_000_000
    assert set(baseline.toolchain) == {"rustc", "layout", "libhs", "libc", "valgrind", "python", "processor"}
    pcaps, rules, _ = gate.inputs()
    assert all(path.is_file() for path in (*pcaps, *rules))
    assert json.loads(gate.BASELINE.read_text())["packets"] == baseline.packets
