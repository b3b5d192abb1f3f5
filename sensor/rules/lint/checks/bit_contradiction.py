"""A bit asked to be set and not to be set."""

from collections.abc import Iterable

from sensor.rules.lint.bits import cut
from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    for keyword in ("flowbits", "xbits", "hostbits"):
        wanted: dict[str, set[str]] = {}
        for index, value in rule.values(keyword):
            command, names = cut(value)
            if command in ("isset", "isnotset") and len(names) == 1:
                wanted.setdefault(names[0], set()).add(command)
                if len(wanted[names[0]]) == 2:
                    yield index, names[0]


CHECK = Check(
    code="H212",
    title="a bit that must be set and must not be set",
    severity="error",
    why="The rule can never fire.",
    fix="keep one of the two",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; flowbits:isset,HD.a; '
    "flowbits:isnotset,HD.a; sid:1;)",
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; flowbits:isset,HD.a; '
    "flowbits:isnotset,HD.b; sid:1;)",
    on=("flowbits", "xbits", "hostbits"),
    look=look,
)
