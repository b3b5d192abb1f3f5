"""Findings in SARIF 2.1.0 (OASIS), which code hosts and editors show beside the line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from sensor import __version__
from sensor.rules.findings import Finding
from sensor.rules.lint.checks import CHECKS
from sensor.rules.reports import LOADER_CODES, Checked, code_of

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "skip": "note", "note": "note"}
_LOADER_TEXTS = {
    "load-error": "the rule does not load",
    "load-skip": "the rule needs a keyword or protocol that this build lacks",
    "load-warning": "the rule loads, with a remark",
    "load-note": "a remark",
}


def write(out: TextIO, checked: Checked) -> None:
    told = {code_of(finding) for finding in checked.findings}
    rules: list[dict[str, Any]] = [
        {"id": code, "shortDescription": {"text": _LOADER_TEXTS[code]}}
        for code in LOADER_CODES.values()
        if code in told
    ]
    rules += [
        {
            "id": check.code,
            "shortDescription": {"text": check.title},
            "fullDescription": {"text": check.why},
            "help": {"text": check.fix},
            "defaultConfiguration": {"level": _LEVELS[check.severity]},
        }
        for check in CHECKS
        if check.code in told
    ]
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    run = {
        "tool": {"driver": {"name": "haidang rules check", "version": __version__, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, index[code_of(finding)]) for finding in checked.findings],
    }
    json.dump({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, out, ensure_ascii=False, indent=1)
    out.write("\n")


def _result(finding: Finding, rule_index: int) -> dict[str, Any]:
    about = f"{finding.keyword}: " if finding.keyword else ""
    fix = f" (fix: {finding.fix})" if finding.fix else ""
    place = {
        "artifactLocation": {"uri": _uri(finding.file)},
        "region": {"startLine": finding.line, "startColumn": max(finding.column, 1)},
    }
    return {
        "ruleId": code_of(finding),
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{about}{finding.reason}{fix}"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"sidAndCode/v1": f"{finding.sid}:{code_of(finding)}:{finding.reason}"},
    }


def _uri(name: str) -> str:
    path = Path(name)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
