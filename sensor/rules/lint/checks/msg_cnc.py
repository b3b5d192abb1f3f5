"""The message: command and control by another abbreviation than CnC."""

import re
from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule

_OTHER = re.compile(r"\b(?:C2|C&C|CNC|Command (?:and|&) Control)\b", re.IGNORECASE)


def look(rule: Rule) -> Iterable[Place]:
    if rule.msg_words & {"c2", "c", "cnc", "command"}:
        found = _OTHER.search(rule.msg)
        if found and found[0] != "CnC":
            yield rule.first("msg"), found[0]


CHECK = Check(
    code="S404",
    title="command and control by another abbreviation than CnC",
    severity="note",
    why="A search for one spelling misses the others.",
    fix="write CnC",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE Gate C2 beacon"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE Gate CnC beacon"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    on=("msg",),
    look=look,
)
