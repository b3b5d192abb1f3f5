"""Alerts of rules that set flowbits."""

from collections.abc import Iterable

from sensor.rules.lint.bits import cut
from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    if "noalert" in rule.spelled or any(value.strip() == "noalert" for _, value in rule.values("flowbits")):
        return
    for index, value in rule.values("flowbits"):
        if cut(value)[0] in ("set", "unset", "toggle"):
            yield index, ""
            return


CHECK = Check(
    code="S511",
    title="flowbits are set, and the rule alerts as well",
    severity="note",
    why="Most rules that remember something for others should not speak themselves.",
    fix="add noalert;, unless the alert is wanted",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; flowbits:set,HD.gate; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; flowbits:set,HD.gate; noalert; sid:1; rev:1;)',
    on=("flowbits",),
    look=look,
)
