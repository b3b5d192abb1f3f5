"""The message: msg is not RULESET CATEGORY Description."""

import re
from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule

_FORM = re.compile(r"[A-Z][A-Z0-9-]*(?: [A-Z0-9_/-]{2,})+ \S")


def look(rule: Rule) -> Iterable[Place]:
    if not _FORM.match(rule.msg):
        yield rule.first("msg"), ""


CHECK = Check(
    code="S400",
    title="msg is not RULESET CATEGORY Description",
    severity="note",
    why="Alerts are sorted, searched and routed by the first words.",
    fix='begin with the set and the category in capitals: "HD WEB-ATTACK ..."',
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"found something"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE Gate check-in"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    on=("msg",),
    look=look,
)
