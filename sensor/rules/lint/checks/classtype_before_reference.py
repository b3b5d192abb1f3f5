"""Order: classtype before reference."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    later = rule.first("reference")
    if -1 < rule.first("classtype") < later:
        yield rule.first("classtype"), ""


CHECK = Check(
    code="S202",
    title="classtype before reference",
    severity="note",
    why="Rules in one order are read and compared faster.",
    fix="put classtype behind reference",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; classtype:trojan-activity; reference:url,example.test; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; reference:url,example.test; classtype:trojan-activity; sid:1; rev:1; metadata:confidence High;)',
    on=("classtype",),
    look=look,
)
