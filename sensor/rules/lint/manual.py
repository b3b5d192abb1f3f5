"""docs/lint.md, made from the registry: `python -m sensor.rules.lint.manual` prints it, `make docs` writes
it, and a test holds the file to it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import cycle

from sensor.rules.lint.check import Check
from sensor.rules.lint.checks import CHECKS

_INTRODUCTION = """\
# Lint

What `haidang rules check` says of rules that load, made from its registry. Each code is tested by the two
rules below it. Codes that begin with C, M or S mean what they mean to suricata-check, a public linter; those
with H are our own.

- **error**: the rule cannot do what it says. **warning**: it costs, or is likely a mistake. **note**: style.
- `--level` says what is told, `--fail-on` from where on the exit code is 1, `--select` and `--ignore` take
  codes or their first letters.
- A rule asks not to be told of with `metadata: haidang_ignore S402 H1*;` (or `suricata-check "S402,H1.*"`).
"""


def pages() -> Iterator[str]:
    """The lines of docs/lint.md."""
    yield from _INTRODUCTION.splitlines()
    yield from ("", "| code | severity | what is found |", "|---|---|---|")
    for check in CHECKS:
        yield f"| [{check.code}](#{check.code.lower()}) | {check.severity} | {_prose(check.title)} |"
    for check in CHECKS:
        yield from _section(check)


def _section(check: Check) -> Iterator[str]:
    yield from ("", f"## {check.code}", "", f"{_sentence(check.title)} ({check.severity})", "")
    yield f"{_prose(check.why)} **Fix:** {_prose(check.fix)}."
    if check.needs:
        yield f"It needs the package {check.needs}, and runs only when `--select` names its whole code."
    yield from (
        "",
        "```",
        *check.bad.splitlines(),
        "```",
        "",
        "Better:",
        "",
        "```",
        *check.good.splitlines(),
        "```",
    )


def _sentence(text: str) -> str:
    return _prose(text[0].upper() + text[1:] + ".")


def _prose(text: str) -> str:
    """Free text as Markdown: `|`, `<` and their kin mean themselves."""
    parts = zip(cycle((False, True)), text.split("`"), strict=False)
    return "`".join(part if inside else re.sub(r"([<|*_\[\]\\])", r"\\\1", part) for inside, part in parts)


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in pages())
