"""Fixtures of the centre's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, Tap
from tiers import NATION_KEYS, Province


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()


@pytest.fixture
def tap(desk: Desk) -> Tap:
    """An enrolled sensor that has said hello."""
    desk.enrol()
    made = Tap(desk)
    made.hello()
    return made


@pytest.fixture
def nation(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "nation").mkdir()
    made = Desk(tmp_path / "nation", NATION_KEYS)
    yield made
    made.close()


@pytest.fixture
def hanoi(tmp_path: Path, nation: Desk) -> Iterator[Province]:
    made = Province(tmp_path / "hanoi", nation)
    yield made
    made.close()
