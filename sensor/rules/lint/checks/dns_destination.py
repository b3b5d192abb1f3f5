"""DNS requests to some servers only."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return ((WHOLE_RULE, rule.header[5]),) if rule.destination != "any" and rule.direction == "->" else ()


CHECK = Check(
    code="S001",
    title="a rule about DNS requests names the server",
    severity="note",
    why="Clients ask resolvers inside and outside alike; the rule sees only one kind.",
    fix="write any for the destination",
    bad='alert dns $HOME_NET any -> $EXTERNAL_NET any (msg:"a"; dns.query; content:"evil.test"; sid:1; rev:1;)',
    good='alert dns $HOME_NET any -> any any (msg:"a"; dns.query; content:"evil.test"; sid:1; rev:1;)',
    on=("dns.query",),
    look=look,
)
