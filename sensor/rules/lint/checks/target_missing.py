"""A rule without target."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return () if "target" in rule.spelled else ((WHOLE_RULE, ""),)


CHECK = Check(
    code="C100",
    title="no target",
    severity="note",
    why="Alerts cannot say which side is attacked.",
    fix="add target:src_ip; or target:dest_ip;",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; target:src_ip; sid:1; rev:1;)',
    look=look,
)
