"""Blanks: a blank before a semicolon."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return ((WHOLE_RULE, ""),) if " ;" in rule.bare else ()


CHECK = Check(
    code="S104",
    title="a blank before a semicolon",
    severity="note",
    why="Rules that are written alike are read, searched and compared alike.",
    fix="leave it out",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1 ;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; classtype:trojan-activity; sid:1; rev:1;)',
    look=look,
)
