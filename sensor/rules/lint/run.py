"""Runs the checks over rules: which of them, for which rule, and what a rule asks not to be told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from sensor.errors import UserError
from sensor.rules.findings import Finding
from sensor.rules.lint.check import WHOLE_RULE, Check, Look
from sensor.rules.lint.checks import CHECKS
from sensor.rules.lint.rule import Rule
from sensor.rules.lint.tables import keywords
from sensor.rules.loading import no_cycles_made

if TYPE_CHECKING:
    from sensor._engine import RawRule


def chosen(select: Sequence[str] = (), ignore: Sequence[str] = ()) -> list[Check]:
    """The checks whose code begins with a word of `select` (all without) and with none of `ignore`;
    one that needs more than the usual packages only when it is selected by its whole code.

    Raises UserError for a word that no code begins with.
    """
    for word in (*select, *ignore):
        if not any(check.code.startswith(word) for check in CHECKS):
            raise UserError(f"no lint code begins with {word!r}", fix="docs/lint.md lists them")
    return [
        check
        for check in CHECKS
        if (not select or check.code.startswith(tuple(select)))
        and not check.code.startswith(tuple(ignore))
        and (not check.needs or check.code in select)
    ]


def lint(
    raw_rules: Iterable[RawRule], checks: Sequence[Check], *, without: Collection[tuple[str, int]] = ()
) -> list[Finding]:
    """What the checks find. without: (file, line) of rules that do not load; they are left out."""
    findings: list[Finding] = []
    with no_cycles_made():
        rules = [Rule(raw) for raw in raw_rules if (raw[0], raw[1]) not in without]
        asked = _Asked(checks)
        for rule in rules:
            for check, look in asked.about(rule):
                for index, detail in look(rule):
                    _add(findings, check, rule, index, detail)
        for check in checks:
            if check.look_at_all:
                for rule, index, detail in check.look_at_all(rules):
                    _add(findings, check, rule, index, detail)
        findings.sort(key=lambda finding: (finding.file, finding.line, finding.column, finding.code))
    return findings


class _Asked:
    """Which checks look at a rule. Sets of checks are bits of a number: rules have few different ones."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._lookers = [(check, check.look) for check in checks if check.look]
        spellings: dict[str, list[str]] = {}
        for alias, name in keywords().canonical.items():
            spellings.setdefault(name, []).append(alias)
        self._always = 0
        self._by_keyword: dict[str, int] = {}
        for number, (check, _) in enumerate(self._lookers):
            if not check.on:
                self._always |= 1 << number
            for word in check.on:
                for spelling in (word, *spellings.get(word, ())):
                    self._by_keyword[spelling] = self._by_keyword.get(spelling, 0) | 1 << number
        self._made: dict[int, list[tuple[Check, Look]]] = {}

    def about(self, rule: Rule) -> list[tuple[Check, Look]]:
        bits = self._always
        for name in rule.spelled:
            bits |= self._by_keyword.get(name, 0)
        found = self._made.get(bits)
        if found is None:
            found = self._made[bits] = [
                looker for number, looker in enumerate(self._lookers) if bits >> number & 1
            ]
        return found


def _add(findings: list[Finding], check: Check, rule: Rule, index: int, detail: str) -> None:
    if any(
        check.code == word or (word.endswith("*") and check.code.startswith(word[:-1]))
        for word in rule.ignored
    ):
        return
    keyword, line, column = "", rule.line, 1
    if index != WHOLE_RULE:
        keyword, _, line, column = rule.options[index]
    reason = f"{check.title}: {detail}" if detail else check.title
    findings.append(
        Finding(rule.file, line, column, check.severity, rule.sid, keyword, reason, check.fix, check.code)
    )
