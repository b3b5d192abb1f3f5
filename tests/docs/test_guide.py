"""The user guide does what it says: its commands run, its YAML loads, its links lead somewhere, in both
languages.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sensor.config import load

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide"
PAGES = sorted([*GUIDE.rglob("*.md"), ROOT / "README.md"])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)")
SECONDS_PER_PAGE = 120
_LEAVE_NOTHING_RUNNING = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"


def blocks(page: Path, kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall(page.read_text()) if found == kind]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")], ids=name)
def test_commands_run(page: Path, tmp_path: Path) -> None:
    """Every `$ ` line of a page, in order, in one empty directory that has the shipped captures and rules."""
    pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")
    for folder in ("pcaps", "rules"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    binaries = tmp_path / "bin"
    binaries.mkdir()
    command = binaries / "haidang"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m sensor.cli "$@"\n')
    command.chmod(0o755)
    lines = [
        line[2:] for text in blocks(page, "console") for line in text.splitlines() if line.startswith("$ ")
    ]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join([_LEAVE_NOTHING_RUNNING, *lines])],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=SECONDS_PER_PAGE,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml")], ids=name)
def test_yaml_loads_without_a_word(page: Path, tmp_path: Path) -> None:
    for text in blocks(page, "yaml"):
        path = tmp_path / "haidang.yaml"
        path.write_text(text)
        config = load(path)
        assert (config.unknown, config.without_effect, config.warnings) == ([], [], [])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


def test_both_languages_have_the_same_pages_and_commands() -> None:
    english = {page.name: blocks(page, "console") for page in (GUIDE / "en").iterdir()}
    vietnamese = {page.name: blocks(page, "console") for page in (GUIDE / "vi").iterdir()}
    assert english.keys() == vietnamese.keys()
    for page, commands in english.items():
        assert [text.count("$ ") for text in commands] == [text.count("$ ") for text in vietnamese[page]]
