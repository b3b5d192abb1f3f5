"""A regular expression that begins by skipping anything."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule, pcre_parts

_LEADING = (".*", "^.*", ".+", ".*?", "^.+")


def look(rule: Rule) -> Iterable[Place]:
    for index, value in rule.values("pcre"):
        _, body, flags = pcre_parts(value)
        if body.startswith(_LEADING) and "R" not in flags:
            yield index, body[:12]


CHECK = Check(
    code="H107",
    title="a pcre that begins with .* or .+",
    severity="warning",
    why="An expression is searched for anywhere anyhow; the prefix only makes it read to the end and come back.",
    fix="leave the prefix out",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"abc"; pcre:"/^.*abc\\d/"; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"abc"; pcre:"/abc\\d/"; sid:1;)',
    on=("pcre",),
    look=look,
)
