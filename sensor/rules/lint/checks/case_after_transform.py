"""A content in a case that the transform before it removes."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    for content in rule.contents:
        if content.is_negated or "nocase" in content.modifiers:
            continue
        last = content.transforms[-1] if content.transforms else ""
        if (last == "to_lowercase" and content.data != content.data.lower()) or (
            last == "to_uppercase" and content.data != content.data.upper()
        ):
            yield content.index, f"after {last}"


CHECK = Check(
    code="H209",
    title="a content in a case that does not occur",
    severity="error",
    why="The transform has changed every letter: the content can never match.",
    fix="write the content as the transform leaves it",
    bad='alert http any any -> any any (msg:"a"; flow:established,to_server; http.uri; to_lowercase; content:"/Gate"; sid:1;)',
    good='alert http any any -> any any (msg:"a"; flow:established,to_server; http.uri; to_lowercase; content:"/gate"; sid:1;)',
    on=("to_lowercase", "to_uppercase"),
    look=look,
)
