"""Findings as JUnit XML: one suite per file, one failed case per finding, one passed case for a clean
file.
"""

from __future__ import annotations

import re
from typing import TextIO

from sensor.rules.reports import Checked, code_of

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, "Char"


def write(out: TextIO, checked: Checked) -> None:
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    total = len(checked.findings)
    out.write(f'<testsuites name="haidang rules check" tests="{total}" failures="{total}">\n')
    for name, findings in checked.by_file().items():
        count = max(len(findings), 1)
        out.write(f'  <testsuite name={_text(name)} tests="{count}" failures="{len(findings)}">\n')
        if not findings:
            out.write(f'    <testcase classname={_text(name)} name="no findings"/>\n')
        for finding in findings:
            title = f"{code_of(finding)} line {finding.line} sid {finding.sid}"
            out.write(
                f"    <testcase classname={_text(name)} name={_text(title)} file={_text(name)} "
                f'line="{finding.line}">\n'
                f"      <failure type={_text(finding.severity)} message={_text(str(finding))}/>\n"
                "    </testcase>\n"
            )
        out.write("  </testsuite>\n")
    out.write("</testsuites>\n")


def _text(text: str) -> str:
    from xml.sax.saxutils import quoteattr  # brings urllib, which others need not wait for

    return quoteattr(_NOT_XML.sub("\ufffd", text))
