"""An xbit or hostbit that is set and that no rule asks for."""

from collections.abc import Iterable, Sequence

from sensor.rules.lint.bits import uses
from sensor.rules.lint.check import Check
from sensor.rules.lint.rule import Rule


def look_at_all(rules: Sequence[Rule]) -> Iterable[tuple[Rule, int, str]]:
    for keyword in ("xbits", "hostbits"):
        found = uses(rules, keyword)
        read = {use.name for use in found if use.command in ("isset", "isnotset")}
        for use in found:
            if use.command in ("set", "toggle") and use.name not in read:
                yield use.rule, use.option, use.name


CHECK = Check(
    code="H203",
    title="an xbit or hostbit that no rule here reads",
    severity="warning",
    why="It takes memory per host and says nothing.",
    fix="leave it out, or mend the name where it is read",
    bad='alert tcp any any -> any 25 (msg:"b"; flow:established,to_server; content:"EHLO bot"; '
    "xbits:set,HD.bad,track ip_src,expire 60; noalert; sid:2;)",
    good='alert tcp any any -> any 25 (msg:"b"; flow:established,to_server; content:"EHLO bot"; '
    "xbits:set,HD.bad,track ip_src,expire 60; noalert; sid:2;)\n"
    'alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; xbits:isset,HD.bad,track ip_src; '
    'content:"evil"; sid:1;)',
    look_at_all=look_at_all,
)
