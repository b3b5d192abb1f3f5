"""Ports where the protocol has none."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule

_WITHOUT_PORTS = ("icmp", "icmpv4", "icmpv6", "igmp", "arp", "ether", "esp", "ah", "gre")


def look(rule: Rule) -> Iterable[Place]:
    if rule.protocol in _WITHOUT_PORTS and (rule.source_port, rule.destination_port) != ("any", "any"):
        return ((WHOLE_RULE, rule.protocol),)
    return ()


CHECK = Check(
    code="H207",
    title="ports in the header of a protocol that has none",
    severity="warning",
    why="No packet of the protocol has a port to compare: the rule does not mean what it says.",
    fix="write any for both ports",
    bad='alert icmp any 80 -> any any (msg:"a"; itype:8; sid:1;)',
    good='alert icmp any any -> any any (msg:"a"; itype:8; sid:1;)',
    look=look,
)
