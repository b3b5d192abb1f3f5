"""The forms in which findings about rules are told: to people, to programs, to code hosts. One form is one
file beside this one and one word in FORMS; it must not judge, leave out or reorder findings.

A form has `write(out, checked)`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Protocol, TextIO, cast

from sensor.rules.findings import Finding, RuleReport

FORMS = ("text", "json", "sarif", "junit", "github")
"""In the order of the help: each is the module of that name in this folder."""

LOADER_CODES = {"error": "load-error", "skip": "load-skip", "warning": "load-warning", "note": "load-note"}
"""What stands for a code where a form wants one and the finding comes from loading."""


@dataclass
class Checked:
    """Rules that were loaded and linted. findings: those to be told, in order. counts: all of lint, by
    severity, told or not. summary: the last line for people.
    """

    report: RuleReport
    findings: list[Finding]
    counts: dict[str, int]
    summary: str
    files: list[str]

    def by_file(self) -> dict[str, list[Finding]]:
        """Every file that was read, with its findings."""
        found: dict[str, list[Finding]] = {name: [] for name in self.files}
        for finding in self.findings:
            found.setdefault(finding.file, []).append(finding)
        return found


class Form(Protocol):
    def write(self, out: TextIO, checked: Checked) -> None: ...


def form(name: str) -> Form:
    """The form of a name in FORMS."""
    return cast(Form, importlib.import_module(f"{__name__}.{name}"))


def code_of(finding: Finding) -> str:
    """The lint code, or the word for what the loader found."""
    return finding.code or LOADER_CODES[finding.severity]
