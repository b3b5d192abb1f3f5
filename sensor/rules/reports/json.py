"""Findings as one JSON object; one finding a line, since there may be a hundred thousand."""

from __future__ import annotations

import json
from typing import TextIO

from sensor.rules.reports import Checked


def write(out: TextIO, checked: Checked) -> None:
    counts = {
        "loaded": checked.report.loaded,
        "quarantined": checked.report.quarantined,
        "skipped": checked.report.skipped,
        "lint": checked.counts,
    }
    out.write(json.dumps(counts)[:-1] + ', "findings": [')
    between = "\n  "
    for finding in checked.findings:
        out.write(between + json.dumps(finding.json(), ensure_ascii=False))
        between = ",\n  "
    out.write("\n]}\n")
