"""nocase where there is no case."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    for content in rule.contents:
        if "nocase" in content.modifiers and content.data.lower() == content.data.upper():
            yield content.index, ""


CHECK = Check(
    code="H208",
    title="nocase on a content without letters",
    severity="note",
    why="It says nothing, and readers wonder what it is for.",
    fix="leave it out",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"1234"; nocase; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"abcd"; nocase; sid:1;)',
    on=("nocase",),
    look=look,
)
