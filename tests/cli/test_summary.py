"""The closing summary."""

from __future__ import annotations

import pytest

from sensor.cli.summary import LOSSES, Tally, lost, replay_lines
from sensor.rules.findings import Finding, RuleReport


def report() -> RuleReport:
    made = RuleReport(names=["a.rules"], loaded=7)
    made.findings = [
        Finding("b.rules", 9, 2, "skip", 5, "lua", "not built in", ""),
        Finding("a.rules", 3, 1, "error", 0, "", "not a rule", "write one"),
        Finding("a.rules", 3, 9, "skip", 0, "", "also this", ""),
        Finding("a.rules", 4, 1, "warning", 1, "content", "odd", ""),
    ]
    made.count()
    return made


def test_a_rule_counts_once_by_its_worst_finding() -> None:
    made = report()
    assert (made.loaded, made.quarantined, made.skipped) == (7, 1, 1)
    assert [finding.line for finding in made.findings] == [3, 3, 4, 9]
    assert made.is_bad


def test_everything_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAIDANG_LANG", "en")
    tally = Tally()
    tally.signatures.update({(1, 2, 3, "A\nB"): 1200})
    counters = {"decoder.pkts": 5000, "decoder.bytes": 1_500_000, "flow.total": 7, "tcp.reassembly_gap": 3}
    lines = list(replay_lines(tally, counters, report(), files=2, seconds=1.25))
    assert lines[0] == "packets   5,000 (1.5 MB) in 2 files, 1.2 s, 4,000/s"
    assert "              1,200  1:2:3  A B" in lines
    assert "lost      3 gaps in TCP streams (tcp.reassembly_gap)" in lines
    assert "rules     9: 7 loaded, 1 quarantined, 1 skipped" in lines
    assert lines[-3:] == [
        "          a.rules:3:1: error: not a rule (fix: write one)",
        "          a.rules:3:9: skip: also this",
        "          b.rules:9:2: skip: lua: not built in [sid 5]",
    ]


def test_nothing_lost_is_said_too() -> None:
    assert list(lost({"decoder.pkts": 1, "tcp.reassembly_gap": 0})) == []
    assert len(list(lost(dict.fromkeys(LOSSES, 1)))) == len(LOSSES)
