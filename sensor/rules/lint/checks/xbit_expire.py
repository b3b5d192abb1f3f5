"""How long an xbit lasts."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    for index, value in rule.values("xbits"):
        if value.strip().startswith("set") and "expire" not in value:
            yield index, ""


CHECK = Check(
    code="S522",
    title="an xbit is set without expire",
    severity="note",
    why="It then lasts as long as the engine chooses.",
    fix="add expire SECONDS",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; xbits:set,HD.gate,track ip_src; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; xbits:set,HD.gate,track ip_src,expire 60; sid:1; rev:1;)',
    on=("xbits",),
    look=look,
)
