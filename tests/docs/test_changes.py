"""Changelog fragments keep their form."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "changes"
KINDS = {"added", "changed", "fixed", "removed", "security"}


def test_every_fragment_has_a_kind_and_says_something() -> None:
    for path in FOLDER.iterdir():
        if path.name == "README.md":
            continue
        name, kind, suffix = path.name.split(".")
        assert name
        assert (kind in KINDS, suffix) == (True, "md"), path.name
        assert path.read_text().strip().endswith("."), path.name
