"""Order: msg is not the first option."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    if rule.options[0][0] != "msg":
        yield rule.first("msg"), ""


CHECK = Check(
    code="S200",
    title="msg is not the first option",
    severity="note",
    why="Rules in one order are read and compared faster.",
    fix="put msg first",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (flow:established,to_server; http.uri; content:"/gate.php"; msg:"HD MALWARE a"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; reference:url,example.test; classtype:trojan-activity; sid:1; rev:1; metadata:confidence High;)',
    on=("msg",),
    look=look,
)
