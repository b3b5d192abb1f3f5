"""What rules do with flowbits, xbits and hostbits, for the checks over the whole set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sensor.rules.lint.rule import Rule


class Use(NamedTuple):
    rule: Rule
    option: int
    command: str
    name: str


def uses(rules: Sequence[Rule], keyword: str) -> list[Use]:
    """Every use of a bit, in order; a|b counts as one use of each."""
    return [
        Use(rule, index, command, name)
        for rule in rules
        for index, value in rule.values(keyword)
        for command, names in (cut(value),)
        for name in names
    ]


def cut(value: str) -> tuple[str, list[str]]:
    """The command of a bits option, and the names."""
    command, _, rest = value.partition(",")
    return command.strip(), [name.strip() for name in rest.split(",")[0].split("|") if name.strip()]
