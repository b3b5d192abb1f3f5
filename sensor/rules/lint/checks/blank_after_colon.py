"""Blanks: a blank after the colon of a keyword."""

import re
from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule

_FORM = re.compile(r"(?:\A|;) *[\w.-]+ *: ")


def look(rule: Rule) -> Iterable[Place]:
    return ((WHOLE_RULE, ""),) if ": " in rule.bare and _FORM.search(rule.bare) else ()


CHECK = Check(
    code="S103",
    title="a blank after the colon of a keyword",
    severity="note",
    why="Rules that are written alike are read, searched and compared alike.",
    fix="leave it out",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev: 1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; classtype:trojan-activity; sid:1; rev:1;)',
    look=look,
)
