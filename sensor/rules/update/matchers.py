"""What a line of enable.conf, disable.conf, drop.conf and the first word of modify.conf select: rules by
number, expression, file or metadata. The forms are suricata-update's.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from pathlib import PurePosixPath

from sensor.rules.update.lines import Line

Matcher = Callable[[Line], bool]


def matcher(text: str) -> Matcher | None:
    """The rules a selector means, or None when it is none.

    `*`, `SID`, `GID:SID` (and lists of them), `re:EXPRESSION`, `filename:PATTERN`, `group:PATTERN`,
    `NAME.rules`, `metadata: KEY VALUE`.
    """
    if text.strip() == "*":
        return lambda _: True
    for form in (_by_id, _by_expression, _by_file_name, _by_group, _by_metadata):
        found = form(text)
        if found is not None:
            return found
    return None


def _by_id(text: str) -> Matcher | None:
    ids = set()
    for entry in text.split(","):
        first, colon, second = entry.strip().partition(":")
        try:
            ids.add((int(first), int(second)) if colon else (1, int(first)))
        except ValueError:
            return None
    return lambda line: line.id in ids


def _by_expression(text: str) -> Matcher | None:
    if not text.startswith("re:"):
        return None
    try:
        search = re.compile(text[3:].strip(), re.IGNORECASE).search
    except (re.error, RecursionError, OverflowError):
        return None
    return lambda line: search(line.raw) is not None


def _by_file_name(text: str) -> Matcher | None:
    if not text.startswith("filename:"):
        return None
    pattern = text.partition(":")[2].strip()
    return lambda line: bool(line.group) and fnmatch.fnmatch(line.group, pattern)


def _by_group(text: str) -> Matcher | None:
    if text.startswith("group:"):
        pattern = text.partition(":")[2].strip()
    elif text.endswith(".rules"):
        pattern = text.strip()
    else:
        return None

    def match(line: Line) -> bool:
        path = PurePosixPath(line.group)
        return bool(line.group) and (
            fnmatch.fnmatch(path.name, pattern) or fnmatch.fnmatch(path.stem, pattern)
        )

    return match


def _by_metadata(text: str) -> Matcher | None:
    if not text.startswith("metadata:"):
        return None
    key, blank, value = text.partition(":")[2].strip().partition(" ")
    if not blank:
        return None
    wanted = (key.strip().lower(), value.strip().lower())

    def match(line: Line) -> bool:
        for entry in line.metadata:
            name, _, said = entry.partition(" ")
            if (name.strip().lower(), said.strip().lower()) == wanted:
                return True
        return False

    return match
