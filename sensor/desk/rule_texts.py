"""The text of rules by their ids, for showing beside alerts."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from sensor.config import Config
from sensor.desk.conversation import contents_of
from sensor.rules import sources
from sensor.rules.findings import RuleReport
from sensor.rules.loading import read_files

if TYPE_CHECKING:
    from sensor._engine import RawRule

_CLASSTYPE = re.compile(r"classtype\s*:\s*([\w-]+)")


def rule_texts(
    config: Config, sids: Collection[int], only: Sequence[str] = (), extra: Sequence[str] = ()
) -> dict[int, str]:
    """The rules with these sids, from the files that `sensor.rules.loading.load` takes."""
    return {sid: rule[10] for sid, rule in _rules(config, sids, only, extra).items()}


def contents_by_sid(
    config: Config, sids: Collection[int], only: Sequence[str] = (), extra: Sequence[str] = ()
) -> dict[int, list[tuple[bytes, bool]]]:
    """What the rules with these sids look for: (pattern, whether case does not matter)."""
    return {sid: contents_of(rule[9]) for sid, rule in _rules(config, sids, only, extra).items()}


def _rules(
    config: Config, sids: Collection[int], only: Sequence[str], extra: Sequence[str]
) -> dict[int, RawRule]:
    if not sids:
        return {}
    unheard: list[str] = []
    found: dict[int, RawRule] = {}
    files = sources.find(only) if only else sources.find(config.rule_patterns(), unheard)
    for rule in read_files(dict.fromkeys([*files, *sources.find(extra)]), config, RuleReport(), set()):
        for name, value, *_ in rule[9]:
            if name == "sid" and value and value.isdigit() and int(value) in sids:
                found[int(value)] = rule
    return found


def classtype_of(rule: str) -> str:
    """The class a rule gives itself."""
    found = _CLASSTYPE.search(rule)
    return found[1] if found else ""
