"""Both directions in the header, one in flow."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    if rule.direction == "<>" and rule.flow & {"to_server", "to_client", "from_server", "from_client"}:
        yield rule.first("flow"), ""


CHECK = Check(
    code="H206",
    title="<> in the header, and one direction in flow",
    severity="warning",
    why="The rule is built twice, and one half is for addresses and ports the wrong way round.",
    fix="write -> and the sides as flow means them",
    bad='alert tcp any any <> any 25 (msg:"a"; flow:established,to_server; content:"evil"; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; sid:1;)',
    on=("flow",),
    look=look,
)
