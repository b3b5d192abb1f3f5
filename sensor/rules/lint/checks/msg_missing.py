"""A rule without msg."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return () if "msg" in rule.spelled else ((WHOLE_RULE, ""),)


CHECK = Check(
    code="M000",
    title="no msg",
    severity="warning",
    why="Alerts then have no name.",
    fix='add msg:"..."; as the first option',
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    look=look,
)
