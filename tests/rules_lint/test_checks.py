"""Every check of the registry: its bad rule makes it speak, its good one does not, and both load."""

from __future__ import annotations

import importlib.util
import re

import pytest

engine = pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

from sensor.config import load  # noqa: E402
from sensor.rules import text  # noqa: E402
from sensor.rules.findings import Finding  # noqa: E402
from sensor.rules.lint.check import SEVERITIES, Check  # noqa: E402
from sensor.rules.lint.checks import CHECKS  # noqa: E402
from sensor.rules.lint.run import chosen, lint  # noqa: E402

CONFIG = load(None, ["vars.port-groups.PROXY_PORTS=3128"])


def found_in(rules: str, checks: list[Check]) -> list[Finding]:
    read = text.parse(rules.encode(), "x.rules", CONFIG.variables)
    assert read.findings == []
    ruleset = engine.Ruleset.compile(CONFIG.engine_json(), read.rules, True)
    refused = [d.reason for d in ruleset.diagnostics if d.severity != "warning"]
    assert refused == [], "what the engine refuses needs no check"
    return lint(read.rules, checks)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_a_check_speaks_of_the_bad_rule_and_not_of_the_good_one(check: Check) -> None:
    if check.needs and importlib.util.find_spec(check.needs) is None:
        pytest.skip(f"{check.needs} is not installed")
    bad = found_in(check.bad, [check])
    # For checks over the whole set one of two rules is named; else every rule of `bad`.
    expected = 1 if check.look_at_all else len(check.bad.splitlines())
    assert [(f.code, f.severity, f.fix) for f in bad] == [(check.code, check.severity, check.fix)] * expected
    assert all(f.reason.startswith(check.title) for f in bad)
    assert found_in(check.good, [check]) == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_a_check_keeps_the_form(check: Check) -> None:
    assert re.fullmatch(r"[A-Z]\d{3}", check.code)
    assert check.severity in SEVERITIES
    assert (check.look is None) != (check.look_at_all is None)
    assert check.why.endswith(".")
    assert not check.title.endswith(".")
    assert not check.fix.endswith(".")


def test_codes_are_unique_and_in_order() -> None:
    codes = [check.code for check in CHECKS]
    assert codes == sorted(set(codes))


def test_a_rule_can_ask_not_to_be_told() -> None:
    rule = 'alert tcp any any -> any 25 (msg:"a"; content:"evil.test"; {}sid:1;)'
    checks = chosen(["H104", "S000", "S400"])
    assert [f.code for f in found_in(rule.format(""), checks)] == ["H104", "S000", "S400"]
    for metadata, left in {
        "metadata:haidang_ignore H104; ": ["S000", "S400"],
        "metadata:created_at 2026_01_01, haidang_ignore H104 S4*; ": ["S000"],
        'metadata:suricata-check "H104,S.*"; ': [],
        "metadata:suricata-check S000; ": ["H104", "S400"],
        "metadata:haidang_ignore S0; ": ["H104", "S000", "S400"],  # no code, and no ending is meant
    }.items():
        assert [f.code for f in found_in(rule.format(metadata), checks)] == left, metadata
