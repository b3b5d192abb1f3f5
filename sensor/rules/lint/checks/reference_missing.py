"""A rule without reference."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return () if "reference" in rule.spelled else ((WHOLE_RULE, ""),)


CHECK = Check(
    code="H300",
    title="no reference",
    severity="note",
    why="Whoever sees the alert has nowhere to read on.",
    fix="add reference:url,... or another type of reference.config",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; reference:url,example.test/report; sid:1; rev:1;)',
    look=look,
)
