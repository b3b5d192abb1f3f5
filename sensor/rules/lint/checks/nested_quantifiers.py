"""A repetition of a repetition, the classic way to make a backtracking matcher slow."""

import re
from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule, pcre_parts

_NESTED = re.compile(r"\((?:\?:)?(?:[^()\\\[\]|]|\\[a-zA-Z])(?:[+*])\)(?:[+*]|\{\d+,\})(?!\+)")
_NESTED_CLASS = re.compile(r"\((?:\?:)?\[[^\]]*\][+*]\)(?:[+*]|\{\d+,\})(?!\+)")


def look(rule: Rule) -> Iterable[Place]:
    for index, value in rule.values("pcre"):
        body = pcre_parts(value)[1]
        found = _NESTED.search(body) or _NESTED_CLASS.search(body)
        if found:
            yield index, found[0]


CHECK = Check(
    code="H106",
    title="a repetition of a repetition in pcre",
    severity="warning",
    why="When the rest does not match, the number of ways to try grows exponentially; the match limit then ends it, "
    "and the rule does not fire.",
    fix="write one repetition, or make the inner one possessive: (?:a++)+",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"abc"; pcre:"/abc(?:\\w+)+!/"; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"abc"; pcre:"/abc\\w+!/"; sid:1;)',
    on=("pcre",),
    look=look,
)
