"""threshold.in: lines of a threshold.config, in which `re:EXPRESSION` stands for every enabled rule it
finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from sensor.errors import UserError
from sensor.rules import sources
from sensor.rules.update.lines import Line

_FORMS = (re.compile(r'\s+(re:"(.*)")'), re.compile(r"\s+(re:(.*?)),.*"), re.compile(r"\s+(re:(.*))"))
MAX_LINES = 200_000  # five for each rule of the largest public set


def expand(path: Path, rules: Iterable[Line]) -> Iterator[str]:
    """The lines of the threshold.config. Raises UserError for an expression that is none."""
    enabled = [line for line in rules if line.is_enabled]
    made = 0
    for number, text in enumerate(sources.read(path).decode("utf-8", "replace").splitlines(), 1):
        text = text.rstrip()
        found = None if not text or text.startswith("#") else _expression(text)
        if found is None:
            yield text
            continue
        word, expression = found
        try:
            search = re.compile(expression, re.IGNORECASE).search
        except (re.error, RecursionError, OverflowError) as error:
            raise UserError(f"re:{expression}: {error}", where=f"{path}:{number}", fix="mend it") from None
        for line in enabled:
            if search(str(line)):
                made += 1
                if made > MAX_LINES:
                    where = f"{path}:{number}"
                    raise UserError(f"makes more than {MAX_LINES} lines", where=where, fix="select less")
                yield f"# {line.name}"
                yield text.replace(word, f"gen_id {line.gid}, sig_id {line.sid}")
                yield ""


def _expression(text: str) -> tuple[str, str] | None:
    for form in _FORMS:
        found = form.search(text)
        if found:
            return found[1], found[2]
    return None
