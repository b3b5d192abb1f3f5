"""docs/keywords.md and docs/protocols.md are what the engine's tables say, and every example is a rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmdb import database

from sensor.cli.manual import Entry, example_rule, keyword_pages, protocol_pages
from sensor.config import load
from sensor.rules import text

DOCS = Path(__file__).parents[2] / "docs"

engine = pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")


@pytest.fixture(scope="module")
def keywords() -> list[Entry]:
    table: list[Entry] = json.loads(engine.keywords())
    return table


def test_the_keywords_page_is_made_from_the_table(keywords: list[Entry]) -> None:
    assert (DOCS / "keywords.md").read_text() == "".join(f"{line}\n" for line in keyword_pages(keywords)), (
        "make docs"
    )


def test_the_protocols_page_is_made_from_the_registry(keywords: list[Entry]) -> None:
    pages = protocol_pages(json.loads(engine.protocols()), keywords)
    assert (DOCS / "protocols.md").read_text() == "".join(f"{line}\n" for line in pages), "make docs"


def test_every_example_is_a_rule_that_loads(keywords: list[Entry], tmp_path: Path) -> None:
    categories = tmp_path / "categories.txt"
    categories.write_text("1,Bot,Infected hosts\n")
    (tmp_path / "list.txt").write_text("")
    (tmp_path / "script.lua").write_text("function init() return {} end function match() return 0 end")
    (tmp_path / "transform.lua").write_text("function transform(input) return input, #input end")
    config = load()
    countries = tmp_path / "countries.mmdb"
    countries.write_bytes(database({}))
    document = {
        "reputation-categories-file": str(categories),
        "default-rule-path": str(tmp_path),
        "geoip-database": str(countries),
        "security": {"lua": {"allow-rules": True}},
    }
    for keyword in keywords:
        example = example_rule(keyword)
        rules = text.parse(example.encode(), "examples.rules", config.variables)
        assert [finding for finding in rules.findings if finding.severity != "warning"] == [], example
        ruleset = engine.Ruleset.compile(json.dumps(document), rules.rules, True)
        refused = [d.reason for d in ruleset.diagnostics if d.severity != "warning"]
        assert (refused, ruleset.loaded) == ([], 1), example
