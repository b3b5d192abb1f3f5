"""Three-way merge of rules: what upstream changed comes in, what was changed by hand stays. A rule has three
parts that are merged apart: whether it is enabled, its action, and the rest of its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from sensor.rules.update.lines import Line, RuleId, parse

_Part = TypeVar("_Part")
Rules = Mapping[RuleId, Line]


@dataclass
class Merged:
    """rules: in upstream's order, then what only we have. kept: local changes that survived. conflicts: rules
    that both sides changed, as told to people.
    """

    rules: dict[RuleId, Line] = field(default_factory=dict)
    kept: int = 0
    conflicts: list[str] = field(default_factory=list)


def merge(base: Rules, ours: Rules, theirs: Rules, *, prefer_theirs: bool = False) -> Merged:
    """base: upstream's last set; ours: that set after local edits; theirs: upstream's new set."""
    merged = Merged()
    for rule_id in dict.fromkeys([*theirs, *ours]):
        line = _one(
            base.get(rule_id), ours.get(rule_id), theirs.get(rule_id), merged, prefer_theirs=prefer_theirs
        )
        if line is not None:
            merged.rules[rule_id] = line
    return merged


def _one(
    base: Line | None, ours: Line | None, theirs: Line | None, merged: Merged, *, prefer_theirs: bool
) -> Line | None:
    if _same(ours, base):
        return theirs
    merged.kept += 1
    if _same(theirs, base) or _same(ours, theirs):
        return ours
    if base is None or ours is None or theirs is None:
        what = (
            "added here and upstream, and not alike"
            if base is None
            else "removed here, changed upstream"
            if ours is None
            else "changed here, removed upstream"
        )
        return _conflict(ours, theirs, what, merged, prefer_theirs=prefer_theirs)
    enabled = _pick(base.is_enabled, ours.is_enabled, theirs.is_enabled)
    action = _pick(base.action, ours.action, theirs.action)
    rest = _pick(_rest(base), _rest(ours), _rest(theirs))
    if action is None or rest is None:  # enabled has two values: both sides changing it is the same change
        return _conflict(ours, theirs, "changed here and upstream", merged, prefer_theirs=prefer_theirs)
    made = parse(f"{action}{rest}", theirs.group)
    if made is None:
        return _conflict(ours, theirs, "no rule when merged", merged, prefer_theirs=prefer_theirs)
    made.is_enabled = bool(enabled)
    return made


def _conflict(
    ours: Line | None, theirs: Line | None, what: str, merged: Merged, *, prefer_theirs: bool
) -> Line | None:
    named = theirs or ours
    winner = "upstream's" if prefer_theirs else "ours"
    merged.conflicts.append(f"{named.name if named else ''}: {what}; {winner} is kept")
    return theirs if prefer_theirs else ours


def _pick(base: _Part, ours: _Part, theirs: _Part) -> _Part | None:
    """The side that changed; None when both did, differently."""
    if ours == theirs or theirs == base:
        return ours
    return theirs if ours == base else None


def _rest(line: Line) -> str:
    return line.text[len(line.action) :]


def _same(one: Line | None, other: Line | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.is_enabled == other.is_enabled and one.text == other.text
