"""Capitals in references."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    for index, value in rule.values("reference"):
        kind = value.partition(",")[0]
        if kind != kind.lower():
            yield index, kind


CHECK = Check(
    code="S700",
    title="capitals in the type of a reference",
    severity="note",
    why="Types are compared and grouped as text.",
    fix="write it in lower case",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; reference:URL,example.test/a; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; reference:url,example.test/a; sid:1; rev:1;)',
    on=("reference",),
    look=look,
)
