"""Order: sid before classtype."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    later = rule.first("classtype")
    if -1 < rule.first("sid") < later:
        yield rule.first("sid"), ""


CHECK = Check(
    code="S204",
    title="sid before classtype",
    severity="note",
    why="Rules in one order are read and compared faster.",
    fix="put sid behind classtype",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; classtype:trojan-activity; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; reference:url,example.test; classtype:trojan-activity; sid:1; rev:1; metadata:confidence High;)',
    on=("sid",),
    look=look,
)
