"""A flowbit that is set and that no rule asks for."""

from collections.abc import Iterable, Sequence

from sensor.rules.lint.bits import uses
from sensor.rules.lint.check import Check
from sensor.rules.lint.rule import Rule


def look_at_all(rules: Sequence[Rule]) -> Iterable[tuple[Rule, int, str]]:
    found = uses(rules, "flowbits")
    read = {use.name for use in found if use.command in ("isset", "isnotset")}
    for use in found:
        if use.command in ("set", "toggle") and use.name not in read:
            yield use.rule, use.option, use.name


CHECK = Check(
    code="H201",
    title="a flowbit that no rule here reads",
    severity="warning",
    why="Setting it costs and says nothing; with noalert the whole rule is without effect.",
    fix="leave it out, or mend the name where it is read",
    bad='alert tcp any any -> any 25 (msg:"b"; flow:established,to_server; content:"EHLO "; flowbits:set,HD.mail; '
    "noalert; sid:2;)",
    good='alert tcp any any -> any 25 (msg:"b"; flow:established,to_server; content:"EHLO "; flowbits:set,HD.mail; '
    "noalert; sid:2;)\n"
    'alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; flowbits:isset,HD.mail; content:"evil"; sid:1;)',
    look_at_all=look_at_all,
)
