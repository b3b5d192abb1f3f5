"""A rule over TCP that does not say which part of the connection it means."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule
from sensor.rules.lint.tables import keywords

_LOOKS_AT_BYTES = ("payload", "app")


def look(rule: Rule) -> Iterable[Place]:
    if "flow" in rule.spelled or rule.transports != {"tcp"} or rule.buffers or ":" in rule.protocol:
        return ()
    kinds = keywords().kind
    if any(kinds.get(name) in _LOOKS_AT_BYTES for name in rule.named):
        return ((WHOLE_RULE, ""),)
    return ()


CHECK = Check(
    code="H104",
    title="no flow on a rule over TCP",
    severity="warning",
    why="Both directions are inspected, and packets outside of a connection, which anyone can forge, count too.",
    fix="add flow:established,to_server; or to_client",
    bad='alert tcp any any -> any 25 (msg:"a"; content:"evil.test"; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil.test"; sid:1;)',
    look=look,
)
