"""flow without a direction, where no buffer implies one."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule

_DIRECTIONS = {"to_server", "to_client", "from_server", "from_client"}
_NEEDS_NONE = {"stateless", "not_established", "only_frag", "no_frag"}


def look(rule: Rule) -> Iterable[Place]:
    if rule.flow & (_DIRECTIONS | _NEEDS_NONE) or rule.buffers or rule.direction != "->":
        return ()
    if "content" not in rule.spelled and "pcre" not in rule.spelled:
        return ()
    return ((rule.first("flow"), ""),)


CHECK = Check(
    code="H105",
    title="flow names no direction",
    severity="note",
    why="The rule is grouped with, and evaluated for, both directions.",
    fix="add to_server or to_client",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established; content:"evil.test"; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil.test"; sid:1;)',
    on=("flow",),
    look=look,
)
