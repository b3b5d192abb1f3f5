"""What the books told goes to people once, and to the status in full."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from test_ledger import Ring

from sensor.live import keeper as keeping
from sensor.live.keeper import Keeper
from sensor.live.status import read_status, status_lines, write_status


@dataclass
class Engine:
    """The face of sensor._engine.Live."""

    drops: int = 0
    nowhere: int = 0

    def counters(self) -> dict[str, int]:
        return {"haidang.capture.frames": 1000, "decoder.pkts": 1000, "capture.kernel_drops": self.drops}

    def rings(self) -> list[Ring]:
        return [Ring(kernel_packets=1000 + self.drops - self.nowhere, kernel_drops=self.drops)]

    def left_out(self) -> dict[str, tuple[int, int]]:
        return {"eth1": (4, 5)}


@dataclass
class Capture:
    live: Engine = field(default_factory=Engine)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("HAIDANG_LANG", "en")
    monkeypatch.setattr(keeping, "read_counts", lambda name: None)
    return []


def keeper(told: list[str]) -> tuple[Keeper, Engine]:
    capture = Capture()
    made = Keeper(capture, ["eth1"], seconds=0.0, warn=told.append)  # type: ignore[arg-type]
    made.begin()
    return made, capture.live


def test_a_loss_that_goes_on_is_told_once_a_minute_and_kept_in_full(told: list[str], tmp_path: Path) -> None:
    books, engine = keeper(told)
    for drops in (0, 3, 3, 5, 9):
        engine.drops = drops
        books.look()
    assert len(told) == 1
    assert told[0].startswith("eth1, ring 2: 3 lost:")
    assert [loss.count for _, loss in books.recent] == [3, 2, 4]
    assert books.has_lost
    write_status(tmp_path, books, is_running=True)
    status = read_status(tmp_path)
    assert status is not None
    lines = list(status_lines(status))
    assert "  eth1: 4 excluded, 5 filtered" in lines
    assert sum("lost: ring overrun" in line for line in lines) == 3
    status["written"] -= 1000
    assert "was it killed?" in next(iter(status_lines(status)))


def test_an_imbalance_is_told_once_and_shown(told: list[str], tmp_path: Path) -> None:
    books, engine = keeper(told)
    books.look()
    assert not books.has_lost
    engine.nowhere = 1
    books.look()
    books.look()
    assert len(told) == 1 and "the books do not close" in told[0]
    assert books.has_lost
    assert books.counters()["haidang.ledger.imbalances"] == 1
    write_status(tmp_path, books, is_running=False)
    assert any(line.startswith("  IMBALANCE: eth1") for line in status_lines(read_status(tmp_path)))


def test_a_status_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert read_status(tmp_path) is None
    (tmp_path / "live.json").write_text("[")
    assert read_status(tmp_path) is None
    (tmp_path / "live.json").write_text(json.dumps([1]))
    assert read_status(tmp_path) is None
    assert list(status_lines(None)) == []
