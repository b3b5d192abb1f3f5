"""The message: a date in msg that is not YYYY-MM-DD."""

import re
from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule

_DATE = re.compile(
    r"\b\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})\b|\b\d{1,2}-\d{1,2}-\d{4}\b|\b\d{4}[./]\d{1,2}[./]\d{1,2}\b"
)


def look(rule: Rule) -> Iterable[Place]:
    found = _DATE.search(rule.msg)
    if found:
        yield rule.first("msg"), found[0]


CHECK = Check(
    code="S403",
    title="a date in msg that is not YYYY-MM-DD",
    severity="note",
    why="03/04 is two days, depending on who reads it.",
    fix="write YYYY-MM-DD",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE Gate 03/04/2026"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE Gate 2026-04-03"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    on=("msg",),
    look=look,
)
