"""Findings as one JSON object."""

from __future__ import annotations

import json
from typing import TextIO

from sensor.rules.reports import Checked


def write(out: TextIO, checked: Checked) -> None:
    document = {
        "loaded": checked.report.loaded,
        "quarantined": checked.report.quarantined,
        "skipped": checked.report.skipped,
        "lint": checked.counts,
        "findings": [finding.json() for finding in checked.findings],
    }
    json.dump(document, out, ensure_ascii=False, indent=2)
    out.write("\n")
