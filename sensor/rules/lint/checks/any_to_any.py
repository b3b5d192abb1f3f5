"""A header that names no side."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return ((WHOLE_RULE, ""),) if rule.source == rule.destination == "any" else ()


CHECK = Check(
    code="S000",
    title="neither side of the header is named",
    severity="note",
    why="Inbound, outbound and internal traffic are inspected alike, and the alert does not say which it was.",
    fix="write $HOME_NET and $EXTERNAL_NET on the sides they belong to",
    bad='alert http any any -> any any (msg:"a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"a"; flow:established,to_server; http.uri; '
    'content:"/gate.php"; sid:1;)',
    look=look,
)
