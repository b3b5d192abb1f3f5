"""Contents, but none that the prefilter could search for."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    if "prefilter" in rule.spelled or any(not content.is_negated for content in rule.contents):
        return ()
    return ((rule.contents[0].index, ""),)


CHECK = Check(
    code="H100",
    title="no fast pattern: every content is negated",
    severity="warning",
    why="The prefilter can search only for what must occur; such a rule is evaluated for all its traffic.",
    fix="add a content that must occur",
    bad='alert http any any -> any any (msg:"a"; flow:established,to_server; http.user_agent; content:!"Mozilla"; sid:1;)',
    good='alert http any any -> any any (msg:"a"; flow:established,to_server; http.uri; content:"/gate.php"; '
    'http.user_agent; content:!"Mozilla"; sid:1;)',
    on=("content",),
    look=look,
)
