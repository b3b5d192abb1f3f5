"""A rule without metadata."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return () if "metadata" in rule.spelled else ((WHOLE_RULE, ""),)


CHECK = Check(
    code="H301",
    title="no metadata",
    severity="note",
    why="Rules are chosen, grouped and reviewed by metadata.",
    fix="add metadata with at least created_at and confidence",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; metadata:confidence High; sid:1; rev:1;)',
    look=look,
)
