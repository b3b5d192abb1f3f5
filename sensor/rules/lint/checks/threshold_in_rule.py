"""The threshold keyword where detection_filter or a threshold file serves."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    for index, value in rule.values("threshold"):
        if "type threshold" in " ".join(value.split()) and "track by_" in value:
            yield index, ""


CHECK = Check(
    code="H211",
    title="threshold:type threshold alerts on every Nth match",
    severity="note",
    why="It counts matches of the rule, not the state of an attack: alert counts then depend on where counting began.",
    fix="write type both (once per time) or detection_filter (every match after N)",
    bad='alert tcp any any -> any 22 (msg:"a"; flow:established,to_server; content:"SSH-2.0-evil"; '
    "threshold:type threshold, track by_src, count 5, seconds 60; sid:1;)",
    good='alert tcp any any -> any 22 (msg:"a"; flow:established,to_server; content:"SSH-2.0-evil"; '
    "threshold:type both, track by_src, count 5, seconds 60; sid:1;)",
    on=("threshold",),
    look=look,
)
