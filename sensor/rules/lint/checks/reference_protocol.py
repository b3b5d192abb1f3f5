"""A protocol in a reference."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    for index, value in rule.values("reference"):
        if value.partition(",")[2].strip().lower().startswith(("http://", "https://")):
            yield index, ""


CHECK = Check(
    code="S701",
    title="http:// or https:// in a reference",
    severity="note",
    why="reference.config puts its own before it: the link then has two.",
    fix="leave it out",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; reference:url,https://example.test/a; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; reference:url,example.test/a; sid:1; rev:1;)',
    on=("reference",),
    look=look,
)
