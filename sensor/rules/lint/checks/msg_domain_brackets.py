"""The message: a domain name in msg made harmless in another way than by a blank."""

import re
from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule

_OTHER = re.compile(r"\w(?:\[\.\]|\(\.\)|\[dot\]|\{\.\})\w", re.IGNORECASE)


def look(rule: Rule) -> Iterable[Place]:
    found = any(sign in rule.msg for sign in "[({") and _OTHER.search(rule.msg)
    if found:
        yield rule.first("msg"), found[0]


CHECK = Check(
    code="S407",
    title="a domain name in msg made harmless in another way than by a blank",
    severity="note",
    why="A search for one way of writing misses the others.",
    fix="put a blank before the last dot: evil .test",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE Gate evil[.]com"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE Gate evil .com"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    on=("msg",),
    look=look,
)
