"""Findings for people: one line each, and a last line that counts."""

from __future__ import annotations

from typing import TextIO

from sensor.errors import one_line
from sensor.rules.reports import Checked


def write(out: TextIO, checked: Checked) -> None:
    out.writelines(f"{one_line(str(finding))}\n" for finding in checked.findings)
    out.write(f"{checked.summary}\n")
