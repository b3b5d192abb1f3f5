"""A rule without classtype."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return () if "classtype" in rule.spelled else ((WHOLE_RULE, ""),)


CHECK = Check(
    code="C103",
    title="no classtype",
    severity="note",
    why="The alert gets the default priority and no category.",
    fix="add a classtype of classification.config",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; classtype:trojan-activity; sid:1; rev:1;)',
    look=look,
)
