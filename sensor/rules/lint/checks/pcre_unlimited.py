"""A regular expression that may run on to the end of the buffer."""

import re
from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule, pcre_parts

_OPEN = re.compile(r"(?<!\\)\.(?:[*+]|\{\d+,\})(?!$)")


def look(rule: Rule) -> Iterable[Place]:
    for index, value in rule.values("pcre"):
        found = _OPEN.search(pcre_parts(value)[1])
        if found:
            yield index, found[0]


CHECK = Check(
    code="S601",
    title="a pcre with an unlimited repetition of any character",
    severity="note",
    why="The cost of one try grows with the buffer.",
    fix="set a limit (.{0,100}) or name what may stand there ([^\\r\\n]*)",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; pcre:"/evil.*test/"; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; pcre:"/evil.{0,64}test/"; sid:1;)',
    on=("pcre",),
    look=look,
)
