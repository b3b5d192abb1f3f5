"""An xbit or hostbit that is asked for and that no rule sets."""

from collections.abc import Iterable, Sequence

from sensor.rules.lint.bits import uses
from sensor.rules.lint.check import Check
from sensor.rules.lint.rule import Rule


def look_at_all(rules: Sequence[Rule]) -> Iterable[tuple[Rule, int, str]]:
    for keyword in ("xbits", "hostbits"):
        found = uses(rules, keyword)
        made = {use.name for use in found if use.command in ("set", "toggle")}
        for use in found:
            if use.command == "isset" and use.name not in made:
                yield use.rule, use.option, use.name


CHECK = Check(
    code="H202",
    title="an xbit or hostbit that no rule here sets",
    severity="warning",
    why="The rule can never fire unless another file sets the bit.",
    fix="mend the name, enable the rule that sets it, or add one",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; xbits:isset,HD.bad,track ip_src; '
    'content:"evil"; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"b"; flow:established,to_server; content:"EHLO bot"; '
    "xbits:set,HD.bad,track ip_src,expire 60; noalert; sid:2;)\n"
    'alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; xbits:isset,HD.bad,track ip_src; '
    'content:"evil"; sid:1;)',
    look_at_all=look_at_all,
)
