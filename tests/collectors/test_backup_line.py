"""Where a backup of a running centre draws the line between what is in the store and what is not yet."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

pytest.importorskip("chdb", reason="the centre's extra is not installed")

from collectors.backup import _boundary, _fill_from
from collectors.entries import NewRecord
from collectors.journal import Journal
from sensor.errors import UserError


def journal(tmp_path: Path, times: list[int], filled: int) -> Path:
    """A journal of records received at these times, so many of them filled."""
    path = tmp_path / "journal.sqlite"
    made = Journal(path)
    made.commit([NewRecord("tap1", 1, 0, n, 1, bytes(32), b"x") for n in range(len(times))])
    made.set_intent(filled)
    made.set_filled(filled)
    made.close()
    with sqlite3.connect(path) as database:
        for number, when in enumerate(times, 1):
            database.execute("UPDATE record SET added_us = ? WHERE id = ?", (when, number))
    database.close()
    return path


@pytest.mark.parametrize(
    ("times", "filled", "expected"),
    [
        ([10, 20, 30], 3, (3, 30)),
        ([10, 20, 30], 2, (2, 20)),
        ([10, 20, 20, 30], 2, (1, 19)),  # committed together, and one of them not filled
        ([20, 20, 20], 1, (0, 19)),
        ([10, 20, 30, 40], 0, (0, 9)),
    ],
)
def test_the_line(tmp_path: Path, times: list[int], filled: int, expected: tuple[int, int]) -> None:
    path = journal(tmp_path, times, filled)
    upto, moment = _boundary(path)
    if filled == 0:
        moment = min(moment or 0, 9)
    assert (upto, moment) == expected
    for number, when in enumerate(times, 1):
        assert (number <= upto) == (when <= (moment or 0)), "the store's copy holds exactly these"


def test_a_clock_that_was_set_back_has_no_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="set back"):
        _boundary(journal(tmp_path, [10, 50, 20, 30], 3))


def test_a_journal_without_records_has_one(tmp_path: Path) -> None:
    upto, moment = _boundary(journal(tmp_path, [], 0))
    assert upto == 0 and moment is not None and moment > 10**15


def test_the_copy_says_what_has_to_be_filled_in(tmp_path: Path) -> None:
    path = journal(tmp_path, [10, 20, 30], 3)
    _fill_from(path, 1)
    made = Journal(path)
    assert made.intent() == (1, None) and made.backlog() == (2, 2)
    made.close()
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM record WHERE id <= 2")
    database.close()
    with pytest.raises(UserError, match="dropped batches"):
        _fill_from(path, 1)
