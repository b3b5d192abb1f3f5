"""One rule file as an editor holds it: what is wrong with it, and what stands at a place.

Lines and characters count from 0 and characters are code points, except in findings, which count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sensor.config import Config
from sensor.rules import text
from sensor.rules.findings import Finding, from_engine
from sensor.rules.lint.run import chosen, lint

Where = Literal["action", "protocol", "address", "port", "arrow", "keyword", "value", "nothing"]

_HEADER: tuple[Where, ...] = ("action", "protocol", "address", "port", "arrow", "address", "port")
_WORD = re.compile(r"[\w.\-]*")
_MAX_LINES_BACK = 200  # a rule over more lines is none that a person wrote
MAX_BYTES = 8 << 20  # larger files are generated; they are for `haidang rules check`


@dataclass(frozen=True)
class Place:
    """What stands at a place. keyword: of the option that it is in. word: what was written of the word
    before the place, from `start` on.
    """

    where: Where
    keyword: str = ""
    word: str = ""
    start: int = 0


def findings(content: str, name: str, config: Config) -> list[Finding]:
    """What the reader, the engine and lint say of a file. Never raises for what is in it."""
    from sensor._engine import Ruleset

    data = content.encode("utf-8", "replace")
    if len(data) > MAX_BYTES:
        return [
            Finding(name, 1, 1, "warning", 0, "", f"larger than {MAX_BYTES} bytes; not looked at",
                    "use haidang rules check")
        ]  # fmt: skip
    read = text.parse(data, name, config.variables)
    found = list(read.findings)
    ruleset = Ruleset.compile(config.engine_json(), read.rules, True)
    found += [one for one in from_engine(ruleset.diagnostics) if one.file == name]
    left_out = set(ruleset.left_out)
    rules = [rule for number, rule in enumerate(read.rules) if number not in left_out]
    bad = {(one.file, one.line) for one in found if one.severity == "error"}
    found += lint(rules, chosen(), without=bad)
    return sorted(found, key=lambda one: (one.line, one.column))


def span(lines: list[str], finding: Finding) -> tuple[int, int, int]:
    """(line, first character, character behind the last) of what a finding is about: its option, or the word
    there.
    """
    line = min(max(finding.line - 1, 0), max(len(lines) - 1, 0))
    content = lines[line] if lines else ""
    start = min(max(finding.column - 1, 0), len(content))
    if finding.keyword and content.startswith(finding.keyword, start):
        return line, start, _end_of_option(content, start)
    end = start + len(_WORD.match(content, start).group())  # type: ignore[union-attr]  # it matches nothing too
    return line, start, max(end, min(start + 1, len(content)))


def place(lines: list[str], line: int, character: int) -> Place:
    """What stands at a place."""
    if not 0 <= line < len(lines):
        return Place("nothing")
    first = line
    while first > 0 and line - first < _MAX_LINES_BACK and lines[first - 1].rstrip().endswith("\\"):
        first -= 1
    here = lines[line][:character]
    before = "".join(part.rstrip().removesuffix("\\") for part in lines[first:line]) + here
    if before.lstrip().startswith("#"):
        return Place("nothing")
    word = re.search(r"[\w.\-$]*$", here).group()  # type: ignore[union-attr]  # it matches nothing too
    start = len(here) - len(word)
    head, bracket, options = before.partition("(")
    if not bracket:
        words = head.split()
        at = len(words) - (1 if words and not head[-1:].isspace() else 0)
        return Place(_HEADER[at], "", word, start) if at < len(_HEADER) else Place("nothing")
    option = _last_option(options)
    keyword, colon, _ = option.partition(":")
    if not colon:
        return Place("keyword", keyword.strip(), word, start)
    return Place("value", keyword.strip().lower(), word, start)


def keyword_at(lines: list[str], line: int, character: int) -> tuple[str, int, int]:
    """(word, first character, character behind it) of the keyword at a place; '' when there is none."""
    if not 0 <= line < len(lines):
        return "", 0, 0
    content = lines[line]
    start = min(max(character, 0), len(content))
    while start > 0 and _WORD.fullmatch(content[start - 1]):
        start -= 1
    word = _WORD.match(content, start)
    found = word.group() if word else ""
    there = place(lines, line, start)
    if there.where in ("keyword", "protocol") and found:
        return found, start, start + len(found)
    return "", 0, 0


def flowbits(content: str) -> list[str]:
    """Names of the flowbits in a file, in order."""
    return sorted(set(re.findall(r"flowbits:\s*\w+\s*,\s*([\w.\-]+)", content)))


def _closings(options: str) -> Iterator[int]:
    """Where options are closed: a ; in quotes or behind a backslash closes none."""
    is_quoted = is_escaped = False
    for at, character in enumerate(options):
        if is_escaped:
            is_escaped = False
        elif character == "\\":
            is_escaped = True
        elif character == '"':
            is_quoted = not is_quoted
        elif character == ";" and not is_quoted:
            yield at


def _last_option(options: str) -> str:
    """The option that is not yet closed."""
    start = max((at + 1 for at in _closings(options)), default=0)
    return options[start:]


def _end_of_option(content: str, start: int) -> int:
    option = _first_option(content[start:])
    return start + len(option)


def _first_option(options: str) -> str:
    end = next(_closings(options), None)
    return options.rstrip() if end is None else options[:end]
