"""A regular expression alone."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return () if "content" in rule.spelled or "uricontent" in rule.spelled else ((rule.first("pcre"), ""),)


CHECK = Check(
    code="S600",
    title="pcre without any content",
    severity="warning",
    why="Regular expressions are tried only on what the prefilter lets through, and here it lets everything through.",
    fix="add a content that every match holds",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; pcre:"/^evil\\d+/"; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; pcre:"/^evil\\d+/"; sid:1;)',
    on=("pcre",),
    look=look,
)
