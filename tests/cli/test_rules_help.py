"""Every action of `haidang rules` says in both languages how it is used and what its exit codes are, and
answers bad input with one line.
"""

from __future__ import annotations

import re

import pytest

from sensor import cli
from sensor.cli.rules import ACTIONS

WORDS = {"en": ("Example: haidang rules", "Exit codes: 0"), "vi": ("Ví dụ: haidang rules", "Mã thoát: 0")}


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("action", ACTIONS)
def test_help_has_an_example_and_the_exit_codes(
    action: str, language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HAIDANG_LANG", language)
    monkeypatch.setenv("COLUMNS", "100")
    assert cli.main(["rules", action, "--help"]) == 0
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert f"haidang rules {action}" in text
    for words in WORDS[language]:
        assert words in text
    assert re.search(r"\b2\b", text.rpartition(WORDS[language][1])[2]), "what a wrong use gives"


@pytest.mark.parametrize("action", ACTIONS)
def test_an_option_that_is_none_is_one_line(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rules", action, "--no-such-option"]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
