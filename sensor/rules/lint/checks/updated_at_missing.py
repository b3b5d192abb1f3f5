"""A revised rule without a date of revision."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    rev = rule.value("rev") or ""
    if rev.isdigit() and int(rev) > 1 and "updated_at" not in rule.metadata:
        yield rule.first("rev"), ""


CHECK = Check(
    code="C102",
    title="rev is above 1, and metadata has no updated_at",
    severity="note",
    why="Nobody sees when the rule last changed.",
    fix="add updated_at YYYY_MM_DD to metadata",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:2;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; metadata:updated_at 2026_02_01; sid:1; rev:2;)',
    on=("rev",),
    look=look,
)
