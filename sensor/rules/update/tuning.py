"""The four files: disable.conf, enable.conf, drop.conf, modify.conf, read and applied in that order as
suricata-update does, and the flowbits that need rules enabled again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from sensor.errors import UserError
from sensor.rules import sources
from sensor.rules.update.lines import Line, RuleId, parse
from sensor.rules.update.matchers import Matcher, matcher

MAX_RESULT_CHARACTERS = 65_536  # a rule that a modification made longer than any rule may be is refused

_ACTION = re.compile(r"^\w+")
_END = re.compile(r";\s*\)$")
_GROUP = re.compile(r"\$\{(\d+)\}")
_SETTERS = frozenset({"set", "setx", "unset", "toggle"})
_READERS = frozenset({"isset", "isnotset"})


@dataclass(frozen=True, slots=True)
class Modification:
    """One line of modify.conf: which rules, and what becomes of their text."""

    where: str
    matches: Matcher
    change: Callable[[str], str]


@dataclass
class Tuning:
    """What the four files say."""

    disable: list[Matcher] = field(default_factory=list)
    enable: list[Matcher] = field(default_factory=list)
    drop: list[Matcher] = field(default_factory=list)
    modify: list[Modification] = field(default_factory=list)


@dataclass
class Tuned:
    """How many rules each file changed, and what is to be said."""

    disabled: int = 0
    enabled: int = 0
    dropped: int = 0
    modified: int = 0
    for_flowbits: int = 0
    remarks: list[str] = field(default_factory=list)


def read_selectors(path: Path, remarks: list[str]) -> list[Matcher]:
    """The selectors of enable.conf, disable.conf or drop.conf. A line that is none becomes a remark."""
    found = []
    for number, text in _told_lines(path):
        selector = text.split(" #")[0]
        match = matcher(selector)
        if match is None:
            remarks.append(f"{path}:{number}: {selector!r} selects nothing; the line is left out")
        else:
            found.append(match)
    return found


def read_modifications(path: Path) -> list[Modification]:
    """modify.conf: `SELECTOR FROM TO`, `modifysid SELECTOR FROM | TO`, `metadata-add SELECTOR KEY VALUE`.
    Raises UserError for a line that is none of these.
    """
    found = []
    for number, text in _told_lines(path):
        where = f"{path}:{number}"
        line = text.split(" #")[0].strip()
        try:
            if line.startswith("metadata-add"):
                _, selector, key, value = shlex.split(line)
                change = _adding_metadata(key, value)
            else:
                words = shlex.split(line.replace("\\$", "$"))
                if len(words) > 4 and words[0] == "modifysid":
                    selector, pattern, to = words[1], words[2], words[4]
                else:
                    selector, pattern, to = words
                change = _replacing(pattern, to)
        except (ValueError, re.error, RecursionError, OverflowError) as error:
            raise UserError(
                f"cannot be read: {error}", where=where, fix='write SELECTOR "FROM" "TO", quotes and all'
            ) from None
        matches = matcher(selector)
        if matches is None:
            raise UserError(
                f"{selector!r} selects no rules", where=where, fix="write a sid, re:, group: or *"
            )
        found.append(Modification(where, matches, change))
    return found


def apply(rules: dict[RuleId, Line], tuning: Tuning) -> Tuned:
    """Disable, enable, drop, modify, each rule through all four; then flowbits. The rules are changed in
    place.
    """
    done = Tuned()
    for rule_id, line in list(rules.items()):
        if line.is_enabled and any(match(line) for match in tuning.disable):
            line.is_enabled = False
            done.disabled += 1
        if not line.is_enabled and any(match(line) for match in tuning.enable):
            line.is_enabled = True
            done.enabled += 1
        dropped = _dropped(line, tuning.drop)
        done.dropped += dropped is not line
        modified = _modified(dropped, tuning.modify, done.remarks)
        done.modified += modified is not dropped
        rules[rule_id] = modified
    done.for_flowbits = _enable_for_flowbits(rules.values())
    return done


def _dropped(line: Line, selectors: Iterable[Matcher]) -> Line:
    for match in selectors:
        if not line.says_noalert and match(line):
            # The file is forgotten with the old action, as there: group: in modify.conf does not reach it.
            made = parse(_ACTION.sub("drop", line.raw, count=1), "")
            if made is not None:
                line = replace(made, is_enabled=line.is_enabled)
    return line


def _modified(line: Line, modifications: Iterable[Modification], remarks: list[str]) -> Line:
    for modification in modifications:
        if not modification.matches(line):
            continue
        try:
            text = modification.change(str(line))
        except (re.error, IndexError) as error:
            raise UserError(f"{line.name}: {error}", where=modification.where, fix="mend TO") from None
        made = parse(text, line.group) if len(text) <= MAX_RESULT_CHARACTERS else None
        if made is None:
            remarks.append(f"{modification.where}: would leave no rule of {line.name}; it stays as it was")
        else:
            line = made
    return line


def _enable_for_flowbits(rules: Iterable[Line]) -> int:
    """Enable the rules that set a bit which an enabled rule asks for, without alerts of their own, until
    nothing is missing; how many. Bits are compared as they are written.
    """
    rules = list(rules)
    enabled: set[RuleId] = set()
    while True:
        wanted = {
            name
            for line in rules
            if line.is_enabled
            for command, _, name in (value.partition(",") for value in line.flowbits)
            if command in _READERS
        }
        missing = [
            line
            for line in rules
            if not line.is_enabled
            and any(
                command in _SETTERS and name in wanted
                for command, _, name in (value.partition(",") for value in line.flowbits)
            )
        ]
        if not missing:
            return len(enabled)
        for line in missing:
            line.is_enabled = line.says_noalert = True
            enabled.add(line.id)


def _replacing(pattern: str, to: str) -> Callable[[str], str]:
    search = re.compile(pattern)
    to = _GROUP.sub(r"\\\1", to)
    return lambda text: search.sub(to, text)


def _adding_metadata(key: str, value: str) -> Callable[[str], str]:
    return lambda text: _END.sub(lambda _: f"; metadata: {key} {value};)", text)


def _told_lines(path: Path) -> Iterable[tuple[int, str]]:
    text = sources.read(path).decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.strip().startswith("#"):
            yield number, line.strip()
