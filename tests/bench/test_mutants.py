"""A short run of the mutation tool over the shipped captures, and what the tool itself promises."""

from __future__ import annotations

import shutil
import sys
from itertools import pairwise
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import mutants
from mutation import LINK_BYTES, layers, mutant, read

COUNT = 400


@pytest.fixture(scope="module")
def captures() -> list[Path]:
    return mutants.captures_in(mutants.ROOT / "pcaps")


def test_a_mutant_is_the_same_on_every_run_and_another_with_another_label(captures: list[Path]) -> None:
    for path in captures[:20]:
        capture = read(path)
        assert capture is not None, path
        assert mutant(capture, "1:x:0") == mutant(capture, "1:x:0")
        assert any(mutant(capture, "1:x:0") != mutant(capture, f"1:x:{k}") for k in range(1, 4))


def test_layers_cover_each_frame_without_overlap(captures: list[Path]) -> None:
    for path in captures:
        capture = read(path)
        assert capture is not None, path
        link_type, packets = capture
        assert link_type in LINK_BYTES, path
        for _, frame in packets[:50]:
            parts = layers(link_type, frame)
            assert parts[0][0] == 0
            assert parts[-1][1] == len(frame)
            assert all(one[1] == two[0] for one, two in pairwise(parts))


def test_no_mutant_makes_the_engine_fail(captures: list[Path], tmp_path: Path) -> None:
    haidang = Path(sys.executable).with_name("haidang")
    command = str(haidang) if haidang.exists() else shutil.which("haidang")
    if command is None:
        pytest.skip("haidang is not installed")
    rules = sorted((mutants.ROOT / "rules").glob("*.rules"))
    job = mutants.job(rules, tmp_path, [command, "replay"])
    batches = mutants.batches(captures, COUNT, "test", tmp_path)
    assert mutants.judge(job, batches, tmp_path / "found", "mutants") == 0
