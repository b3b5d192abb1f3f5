"""The Makefile and the scripts behind it parse, explain themselves, and name what is pinned elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = (ROOT / "deploy" / "setup.sh", ROOT / ".ci" / "run", ROOT / ".ci" / "fuzz-smoke")


def test_make_prints_every_target() -> None:
    listed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {line.split()[0] for line in listed.splitlines()} == set(targets)
    assert len(targets) <= 18


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_parse_and_may_run(script: Path) -> None:
    subprocess.run(["sh", "-n", script], check=True)
    assert script.stat().st_mode & 0o111


def test_setup_asks_for_the_rust_the_workspace_needs() -> None:
    wanted = re.search(r'rust-version = "([\d.]+)"', (ROOT / "sensor" / "engine" / "Cargo.toml").read_text())
    assert wanted
    assert f'RUST_OLDEST="{wanted[1]}"' in SCRIPTS[0].read_text()


def test_pins_come_from_pyproject() -> None:
    script = ROOT / "deploy" / "pinned.py"
    done = subprocess.run([sys.executable, script, "maturin"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("maturin==")
    assert subprocess.run([sys.executable, script, "nothing"], capture_output=True).returncode == 1
