"""Several contents, and none marked for the prefilter."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    if "fast_pattern" in rule.spelled:
        return ()
    positive = [content for content in rule.contents if not content.is_negated]
    return ((positive[0].index, ""),) if len(positive) > 1 else ()


CHECK = Check(
    code="S021",
    title="several contents, and none is the fast_pattern",
    severity="note",
    why="The engine takes the longest; the author knows which one is rare.",
    fix="write fast_pattern behind the content that ordinary traffic holds least",
    bad='alert tcp any any -> any 25 (msg:"a"; content:"MAIL FROM"; content:"evil.test"; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; content:"MAIL FROM"; content:"evil.test"; fast_pattern; sid:1;)',
    on=("content",),
    look=look,
)
