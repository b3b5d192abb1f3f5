"""The metadata key deployment."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return () if "deployment" in rule.metadata else ((WHOLE_RULE, ""),)


CHECK = Check(
    code="S803",
    title="no deployment in metadata",
    severity="note",
    why="Those who choose rules cannot see where the rule belongs.",
    fix="add deployment, e.g. Perimeter or Internal",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; metadata:confidence High; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; metadata:deployment Perimeter; sid:1; rev:1;)',
    look=look,
)
