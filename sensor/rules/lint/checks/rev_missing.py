"""A rule without a revision."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return () if "rev" in rule.spelled else ((WHOLE_RULE, ""),)


CHECK = Check(
    code="H216",
    title="no rev",
    severity="note",
    why="Alerts cannot say which wording of the rule made them, and of two rules with one sid neither is newer.",
    fix="add rev:1; and count it up with every change",
    bad='alert http any any -> any any (msg:"a"; http.uri; content:"/gate.php"; sid:1;)',
    good='alert http any any -> any any (msg:"a"; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    look=look,
)
