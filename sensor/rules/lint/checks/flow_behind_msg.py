"""Order: flow does not follow msg."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    if rule.first("flow") != rule.first("msg") + 1:
        yield rule.first("flow"), ""


CHECK = Check(
    code="S220",
    title="flow does not follow msg",
    severity="note",
    why="Rules in one order are read and compared faster.",
    fix="put flow behind msg",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; http.uri; content:"/gate.php"; flow:established,to_server; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; reference:url,example.test; classtype:trojan-activity; sid:1; rev:1; metadata:confidence High;)',
    on=("flow",),
    look=look,
)
