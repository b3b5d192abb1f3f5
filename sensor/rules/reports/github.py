"""Findings as workflow commands, which GitHub shows as annotations on the lines of a change."""

from __future__ import annotations

from typing import TextIO

from sensor.rules.reports import Checked, code_of

_COMMANDS = {"error": "error", "warning": "warning", "skip": "notice", "note": "notice"}


def write(out: TextIO, checked: Checked) -> None:
    for finding in checked.findings:
        about = f"{finding.keyword}: " if finding.keyword else ""
        fix = f" (fix: {finding.fix})" if finding.fix else ""
        sid = f" [sid {finding.sid}]" if finding.sid else ""
        out.write(
            f"::{_COMMANDS[finding.severity]} file={_property(finding.file)},line={finding.line},"
            f"col={finding.column},title={_property(code_of(finding))}"
            f"::{_message(f'{about}{finding.reason}{fix}{sid}')}\n"
        )
    out.write(f"{checked.summary}\n")


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
