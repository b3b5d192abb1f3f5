"""docs/lint.md is what the registry says."""

from __future__ import annotations

from pathlib import Path

from sensor.rules.lint.manual import pages

PAGE = Path(__file__).parents[2] / "docs" / "lint.md"


def test_the_page_is_made_from_the_registry() -> None:
    assert PAGE.read_text() == "".join(f"{line}\n" for line in pages()), "make docs"
