"""Runs the command as users do: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def haidang(tmp_path: Path) -> Run:
    """haidang("replay", ...) -> CompletedProcess, in an empty directory, in English, without a terminal."""

    def run(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sensor.cli", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "HAIDANG_LANG": "en", "PYTHONPATH": str(Path(__file__).parents[2]), **environ},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run
