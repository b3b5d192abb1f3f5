"""Order: rev before sid."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    later = rule.first("sid")
    if -1 < rule.first("rev") < later:
        yield rule.first("rev"), ""


CHECK = Check(
    code="S207",
    title="rev before sid",
    severity="note",
    why="Rules in one order are read and compared faster.",
    fix="put rev behind sid",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; rev:1; sid:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; reference:url,example.test; classtype:trojan-activity; sid:1; rev:1; metadata:confidence High;)',
    on=("rev",),
    look=look,
)
