"""Escapes by backslash."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    for index, value in rule.values("content"):
        if "\\" in value:
            yield index, ""


CHECK = Check(
    code="S122",
    title="a character escaped by a backslash in content",
    severity="note",
    why="Hexadecimal needs no escape rules, which differ from engine to engine.",
    fix='write the character in hex: |3b| for ;, |22| for ", |5c| for a backslash',
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php\\;a"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php|3b|a"; sid:1; rev:1;)',
    on=("content",),
    look=look,
)
