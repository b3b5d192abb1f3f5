"""A threshold on a rule that sets bits."""

from collections.abc import Iterable

from sensor.rules.lint.bits import cut
from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    for keyword in ("flowbits", "xbits", "hostbits"):
        for index, value in rule.values(keyword):
            if cut(value)[0] in ("set", "unset", "toggle"):
                yield index, ""
                return


CHECK = Check(
    code="C000",
    title="threshold together with setting a bit",
    severity="warning",
    why="The threshold holds back alerts only: the bit is set at every match.",
    fix="use detection_filter, or two rules",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; flowbits:set,HD.a; '
    "threshold:type limit, track by_src, count 1, seconds 60; sid:1;)",
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; '
    "threshold:type limit, track by_src, count 1, seconds 60; sid:1;)",
    on=("threshold",),
    look=look,
)
