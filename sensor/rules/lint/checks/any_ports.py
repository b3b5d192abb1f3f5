"""Payload patterns over every port."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import PAYLOAD, Rule


def look(rule: Rule) -> Iterable[Place]:
    if (
        rule.source_port != "any"
        or rule.destination_port != "any"
        or rule.protocol not in ("tcp", "udp", "ip")
    ):
        return ()
    content = rule.fast_pattern
    if content is None or content.buffer != PAYLOAD or rule.buffers or "app-layer-protocol" in rule.spelled:
        return ()
    return ((content.index, ""),)


CHECK = Check(
    code="H108",
    title="payload contents on every port",
    severity="note",
    why="The pattern joins the groups of all ports, and is searched in all traffic.",
    fix="name the ports, or an application protocol and its buffers",
    bad='alert tcp any any -> any any (msg:"a"; flow:established,to_server; content:"evil.test"; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil.test"; sid:1;)',
    on=("content",),
    look=look,
)
