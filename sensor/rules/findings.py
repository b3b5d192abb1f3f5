"""What is found about rules: one record per finding, from the text reader, the engine and the linter alike,
and the counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Literal, TypedDict, cast

if TYPE_CHECKING:
    from sensor._engine import Diagnostic

Severity = Literal["error", "skip", "warning", "note"]


class FindingJson(TypedDict):
    """A finding as `haidang rules check --json` writes it."""

    file: str
    line: int
    column: int
    severity: str
    sid: int
    keyword: str
    reason: str
    fix: str
    code: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding about one rule.

    severity: "error" (the rule is quarantined, or cannot do what it says), "skip" (this build lacks the
    keyword or protocol), "warning" and "note" (it loads). line and column count from 1; sid is 0 and keyword
    "" when not known. code: of the lint check; "" for what was found while loading.
    """

    file: str
    line: int
    column: int
    severity: Severity
    sid: int
    keyword: str
    reason: str
    fix: str
    code: str = ""

    def __str__(self) -> str:
        about = f"{self.keyword}: " if self.keyword else ""
        fix = f" (fix: {self.fix})" if self.fix else ""
        sid = f" [sid {self.sid}]" if self.sid else ""
        code = f" {self.code}" if self.code else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}{code}: {about}{self.reason}{fix}{sid}"

    def json(self) -> FindingJson:
        """The finding as plain data."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "severity": self.severity,
            "sid": self.sid,
            "keyword": self.keyword,
            "reason": self.reason,
            "fix": self.fix,
            "code": self.code,
        }


def from_engine(diagnostics: Iterable[Diagnostic]) -> list[Finding]:
    """The engine's diagnostics as findings."""
    return [
        Finding(d.file, d.line, d.column, cast(Severity, d.severity), d.sid, d.keyword, d.reason, d.fix)
        for d in diagnostics
    ]


def to_text(findings: Iterable[Finding]) -> str:
    """For `from_text`."""
    return json.dumps([astuple(finding) for finding in findings])


def from_text(text: str) -> list[Finding]:
    """The findings that `to_text` wrote."""
    return [Finding(*fields) for fields in json.loads(text)]


@dataclass
class RuleReport:
    """What became of the rules: every one is loaded, quarantined or skipped.

    names: the files that were read. loaded, quarantined, skipped: rules. warnings: about files, for which no
    rule can be named.
    """

    names: list[str] = field(default_factory=list)
    loaded: int = 0
    quarantined: int = 0
    skipped: int = 0
    findings: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def files(self) -> int:
        """How many files were read."""
        return len(self.names)

    def count(self) -> None:
        """Set quarantined and skipped from the findings; a rule with several counts once, by the worst."""
        bad = {(f.file, f.line) for f in self.findings if f.severity == "error"}
        lacking = {(f.file, f.line) for f in self.findings if f.severity == "skip"} - bad
        self.quarantined, self.skipped = len(bad), len(lacking)
        self.findings.sort(key=lambda finding: (finding.file, finding.line, finding.column))

    @property
    def is_bad(self) -> bool:
        """Whether a rule is wrong, as opposed to beyond what this build knows."""
        return self.quarantined > 0

    @property
    def remarks(self) -> list[str]:
        """The warnings, and for users who get no counts one more when rules did not load: how many, and why
        the first did not.
        """
        count, reasons = self.quarantined + self.skipped, self.first_reasons(1)
        if not (count and reasons):
            return self.warnings
        rules = "1 rule does not load" if count == 1 else f"{count:,} rules do not load, the first"
        return [*self.warnings, f"{rules}: {reasons[0]}"]

    def first_reasons(self, count: int) -> list[str]:
        """The first reasons why rules did not load, each kind of reason once."""
        seen: dict[tuple[str, str], Finding] = {}
        for finding in self.findings:
            if finding.severity != "warning":
                seen.setdefault((finding.keyword, finding.reason), finding)
        return [str(finding) for finding in list(seen.values())[:count]]
