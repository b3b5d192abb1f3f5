"""Order: metadata is not the last option."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    if rule.options[-1][0] != "metadata":
        yield rule.first("metadata"), ""


CHECK = Check(
    code="S208",
    title="metadata is not the last option",
    severity="note",
    why="Rules in one order are read and compared faster.",
    fix="put metadata last",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; metadata:confidence High; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; reference:url,example.test; classtype:trojan-activity; sid:1; rev:1; metadata:confidence High;)',
    on=("metadata",),
    look=look,
)
