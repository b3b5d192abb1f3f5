"""base64 keywords."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return ((rule.first("base64_decode"), ""),)


CHECK = Check(
    code="S901",
    title="base64_decode is costly",
    severity="note",
    why="The buffer is decoded anew each time the rule is evaluated.",
    fix="search for the encoded form when it is fixed, or let a content before it decide first",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"AUTH PLAIN "; '
    'base64_decode:relative; base64_data; content:"admin"; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"AUTH PLAIN YWRtaW4"; sid:1;)',
    on=("base64_decode",),
    look=look,
)
