"""The metadata key performance_impact."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return () if "performance_impact" in rule.metadata else ((WHOLE_RULE, ""),)


CHECK = Check(
    code="S802",
    title="no performance_impact in metadata",
    severity="note",
    why="Those who choose rules for a busy link cannot see which are costly.",
    fix="add performance_impact Low, Moderate or Significant",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; metadata:confidence High; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; metadata:performance_impact Low; sid:1; rev:1;)',
    look=look,
)
