"""Every check of the registry keeps the form, and the live ones answer on this machine."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest

from sensor.cli import main
from sensor.doctor.check import VERDICTS, Check
from sensor.doctor.machine import Machine, interfaces
from sensor.doctor.registry import CAPTURE_CHECKS, LIVE_CHECKS

CHECKS: tuple[type[Check], ...] = (*CAPTURE_CHECKS, *LIVE_CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_speaks_both_languages(check: type[Check]) -> None:
    for english, vietnamese in (check.doc, check.evidence, check.remedy):
        assert english
        assert vietnamese
        fields = [
            {name or "" for _, name, _, _ in string.Formatter().parse(text)} - {""}
            for text in (english, vietnamese)
        ]
        assert fields[0] == fields[1]
    assert check.doc[0] != check.doc[1]
    assert "`" in check.remedy[0]
    assert "`" in check.remedy[1]


def test_names_are_unique_and_explanations_name_checks() -> None:
    names = [check.name for check in CHECKS]
    assert len(names) == len(set(names))
    assert {name for check in CHECKS for name in check.explains} <= set(names)


@pytest.mark.parametrize("check", LIVE_CHECKS, ids=lambda check: check.name)
def test_live_checks_answer(check: type[Check], tmp_path: Path) -> None:
    for interface in [*interfaces()[:1], "lo", "absent0"]:
        one = check()
        result = one.look(Machine(interface, tmp_path, tmp_path))  # type: ignore[attr-defined]
        assert result.verdict in VERDICTS
        if result.verdict in ("warn", "fail"):
            assert one.evidence[0].format(**result.numbers)
            assert one.remedy[1].format(**result.numbers)
        if result.verdict == "skipped":
            assert all(result.why)


def test_list_and_live_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--list", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == [check.name for check in CHECKS]
    assert main(["doctor", "--json", "-i", "lo"]) in (0, 1)
    assert len(json.loads(capsys.readouterr().out)["checks"]) == len(LIVE_CHECKS)
    assert main(["doctor", "-i", "absent0"]) == 2
