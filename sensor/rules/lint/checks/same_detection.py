"""Two rules that look for the same thing."""

from collections.abc import Iterable, Sequence

from sensor.rules.lint.check import WHOLE_RULE, Check
from sensor.rules.lint.rule import Rule

_SAYS_NOTHING = {"msg", "sid", "gid", "rev", "classtype", "priority", "reference", "metadata", "target"}


def look_at_all(rules: Sequence[Rule]) -> Iterable[tuple[Rule, int, str]]:
    first: dict[tuple[object, ...], Rule] = {}
    for rule in rules:
        key = (
            rule.action, rule.protocol, rule.source, rule.source_port, rule.direction, rule.destination,
            rule.destination_port,
            *((name, value) for name, value, _, _ in rule.options if name not in _SAYS_NOTHING),
        )  # fmt: skip
        earlier = first.setdefault(key, rule)
        if earlier is not rule:
            yield rule, WHOLE_RULE, f"sid {earlier.sid} at {earlier.file}:{earlier.line}"


CHECK = Check(
    code="H214",
    title="the same conditions as another rule",
    severity="warning",
    why="Both fire together: one event, two alerts, twice the work.",
    fix="keep one",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; sid:1;)\n'
    'alert tcp any any -> any 25 (msg:"b"; flow:established,to_server; content:"evil"; sid:2;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; sid:1;)\n'
    'alert tcp any any -> any 25 (msg:"b"; flow:established,to_client; content:"evil"; sid:2;)',
    look_at_all=look_at_all,
)
