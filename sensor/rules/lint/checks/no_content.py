"""A rule that inspects bytes and gives the prefilter nothing to go by."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule
from sensor.rules.lint.tables import keywords

_LOOKS_AT_BYTES = ("payload", "buffer", "app")


def look(rule: Rule) -> Iterable[Place]:
    if "content" in rule.spelled or "uricontent" in rule.spelled or "prefilter" in rule.spelled:
        return ()
    kinds = keywords().kind
    if any(kinds.get(name) in _LOOKS_AT_BYTES for name in rule.named):
        return ((WHOLE_RULE, ""),)
    return ()


CHECK = Check(
    code="S020",
    title="no content",
    severity="warning",
    why="Without a content the rule is evaluated in full for every packet or transaction its header lets through.",
    fix="add a content that the traffic must hold, or mark the cheapest keyword with prefilter",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; byte_test:1,>,5,0; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"EHLO "; byte_test:1,>,5,5; sid:1;)',
    look=look,
)
