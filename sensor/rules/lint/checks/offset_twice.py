"""Several contents with offset."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return ((index, "") for index in rule.repeated("offset"))


CHECK = Check(
    code="S212",
    title="more than one content of a buffer with offset",
    severity="note",
    why="Two fixed places in one buffer are usually one place and a distance from it.",
    fix="write distance on the second, unless both places are fixed by the format",
    bad='alert tcp any any -> any 25 (msg:"a"; content:"ab"; offset:9; content:"cd"; offset:20; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; content:"ab"; offset:9; content:"cd"; distance:20; sid:1;)',
    on=("offset",),
    look=look,
)
