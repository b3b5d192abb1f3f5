"""Several contents with depth."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return ((index, "") for index in rule.repeated("depth"))


CHECK = Check(
    code="S211",
    title="more than one content of a buffer with depth",
    severity="note",
    why="Two fixed places in one buffer are usually one place and a distance from it.",
    fix="write within on the second, unless both places are fixed by the format",
    bad='alert tcp any any -> any 25 (msg:"a"; content:"ab"; depth:9; content:"cd"; depth:20; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; content:"ab"; depth:9; content:"cd"; within:20; sid:1;)',
    on=("depth",),
    look=look,
)
