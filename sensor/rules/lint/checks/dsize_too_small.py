"""A payload size that leaves no room for the contents."""

import re
from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import PAYLOAD, Rule

_MOST = re.compile(r"\s*(?:(\d+)|<\s*(\d+)|<=\s*(\d+)|\d+\s*<>\s*(\d+))\s*\Z")


def look(rule: Rule) -> Iterable[Place]:
    index = rule.first("dsize")
    found = _MOST.match(rule.value("dsize") or "")
    if not found:
        return
    exact, below, at_most, between = found.groups()
    most = int(exact or at_most or 0) if exact or at_most else int(below or between) - 1
    longest = max(
        (
            len(content.data)
            for content in rule.contents
            if not content.is_negated and content.buffer == PAYLOAD
        ),
        default=0,
    )
    if longest > most:
        yield index, f"at most {most} bytes of payload, and a content of {longest}"


CHECK = Check(
    code="H205",
    title="dsize leaves no room for a content",
    severity="error",
    why="The rule can never fire.",
    fix="mend the size or the content",
    bad='alert udp any any -> any 5000 (msg:"a"; dsize:<3; content:"abcd"; sid:1;)',
    good='alert udp any any -> any 5000 (msg:"a"; dsize:<5; content:"abcd"; sid:1;)',
    on=("dsize",),
    look=look,
)
