"""Blanks between bytes of a content."""

import re
from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule

_FORM = re.compile(r"\|[^|]*\s\s[^|]*\|")


def look(rule: Rule) -> Iterable[Place]:
    for index, value in rule.values("content"):
        if "|" in value and "  " in value and _FORM.search(value):
            yield index, ""


CHECK = Check(
    code="S106",
    title="more than one blank between bytes in hex",
    severity="note",
    why="The same bytes are then written in two ways, and searches in rule files miss one.",
    fix="write one blank",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate|2e  70|hp"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate|2e 70|hp"; sid:1; rev:1;)',
    on=("content",),
    look=look,
)
