"""What attackers wrote is shown, and does nothing."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import show
from collectors.store.search import Found

HOSTILE = "\x1b]0;owned\x07\x9b31m\u202egnp.exe\u2028\x00\x7fé"


def found(signature: str = HOSTILE) -> Found:
    columns = (
        datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        "tap1",
        "alert",
        1,
        2001,
        signature,
        "TCP",
        IPv6Address("::ffff:192.0.2.1"),
        40000,
        IPv6Address("2001:db8::1"),
        443,
        signature,
        77,
    )
    return Found(columns, json.dumps({"signature": signature}, ensure_ascii=False))


def assert_harmless(text: str) -> None:
    assert not [
        c for c in text if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2028\u200f")
    ]


@pytest.mark.parametrize("show_it", [show.print_table, show.print_json, show.print_csv])
def test_nothing_they_wrote_reaches_the_terminal_as_it_is(
    show_it: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show_it([found(), found("plain")]) == 2
    told = capsys.readouterr().out
    assert_harmless(told)
    assert "é" in told and "plain" in told and "[bold]" not in told


def test_json_means_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    show.print_json([found()])
    assert json.loads(capsys.readouterr().out) == {"signature": HOSTILE}


def test_markup_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    show.print_table([found("[red]x[/red] [link=http://e]")])
    assert "[red]x[/red]" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)"])
def test_a_spreadsheet_runs_nothing(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show.print_csv([found(text)])
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[1][5] == "'" + text
    assert rows[1][7] == "192.0.2.1" and rows[1][0] == "2026-01-02T03:04:05.000006Z"


@given(st.text())
def test_any_text_is_made_harmless(text: str) -> None:
    assert_harmless(show.safe(text))
