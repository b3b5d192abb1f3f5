"""The keyword priority."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return ((rule.first("priority"), ""),)


CHECK = Check(
    code="S011",
    title="priority overrides the class",
    severity="note",
    why="Operators tune priorities by class; this rule does not follow.",
    fix="leave priority out, or choose another classtype",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; priority:1; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; classtype:trojan-activity; sid:1; rev:1;)',
    on=("priority",),
    look=look,
)
