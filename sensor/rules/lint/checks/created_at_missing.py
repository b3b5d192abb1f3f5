"""The metadata key created_at."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return () if "created_at" in rule.metadata else ((WHOLE_RULE, ""),)


CHECK = Check(
    code="C101",
    title="no created_at in metadata",
    severity="note",
    why="Nobody sees how old the rule is.",
    fix="add created_at YYYY_MM_DD to metadata",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; metadata:confidence High; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; metadata:created_at 2026_01_15; sid:1; rev:1;)',
    look=look,
)
