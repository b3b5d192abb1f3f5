"""Names of flowbits."""

import re
from collections.abc import Iterable

from sensor.rules.lint.bits import cut
from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule

_FORM = re.compile(r"[A-Za-z][\w-]*[./]\S+")


def look(rule: Rule) -> Iterable[Place]:
    for index, value in rule.values("flowbits"):
        for name in cut(value)[1]:
            if not _FORM.match(name):
                yield index, name


CHECK = Check(
    code="S510",
    title="a name in flowbits without a set before it",
    severity="note",
    why="Names are shared by all rule sets that are loaded together: two may mean different things by one.",
    fix="write SET.name, e.g. HD.mail",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; flowbits:set,gate; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; flowbits:set,HD.gate; sid:1; rev:1;)',
    on=("flowbits",),
    look=look,
)
