"""A flowbit that is asked for and that no rule sets."""

from collections.abc import Iterable, Sequence

from sensor.rules.lint.bits import uses
from sensor.rules.lint.check import Check
from sensor.rules.lint.rule import Rule


def look_at_all(rules: Sequence[Rule]) -> Iterable[tuple[Rule, int, str]]:
    found = uses(rules, "flowbits")
    made = {use.name for use in found if use.command in ("set", "toggle")}
    # Of a list a|b one is enough, so only a list of which none is set is dead.
    groups: dict[tuple[int, int], list[str]] = {}
    for use in found:
        if use.command == "isset":
            groups.setdefault((id(use.rule), use.option), []).append(use.name)
    told = set()
    for use in found:
        key = (id(use.rule), use.option)
        if use.command == "isset" and key not in told and not made.intersection(groups[key]):
            told.add(key)
            yield use.rule, use.option, ", ".join(groups[key])


CHECK = Check(
    code="H200",
    title="a flowbit that no rule here sets",
    severity="warning",
    why="The rule can never fire unless another file sets the bit: check the set as it is loaded.",
    fix="mend the name, enable the rule that sets it, or add one",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; flowbits:isset,HD.mail; content:"evil"; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"b"; flow:established,to_server; content:"EHLO "; flowbits:set,HD.mail; '
    "noalert; sid:2;)\n"
    'alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; flowbits:isset,HD.mail; content:"evil"; sid:1;)',
    look_at_all=look_at_all,
)
