"""Bytes in hex run together."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    for index, value in rule.values("content"):
        if "|" in value and any(len(part) > 2 for run in value.split("|")[1::2] for part in run.split()):
            yield index, ""


CHECK = Check(
    code="S111",
    title="no blank between bytes in hex",
    severity="note",
    why="Long runs are misread, and searches in rule files miss one way of writing.",
    fix="write a blank between bytes",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate|2e70|hp"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate|2e 70|hp"; sid:1; rev:1;)',
    on=("content",),
    look=look,
)
