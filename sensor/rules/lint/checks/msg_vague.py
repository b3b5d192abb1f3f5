"""The message: a vague word in msg."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule

_VAGUE = frozenset(
    {"possible", "possibly", "probable", "potential", "potentially", "unknown", "maybe", "likely"}
)


def look(rule: Rule) -> Iterable[Place]:
    found = rule.msg_words & _VAGUE
    if found:
        yield rule.first("msg"), ", ".join(sorted(found))


CHECK = Check(
    code="S402",
    title="a vague word in msg",
    severity="note",
    why="Whoever reads the alert needs to know what was seen, not that something may be.",
    fix="say what was seen",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE Possible gate"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE Gate check-in"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    on=("msg",),
    look=look,
)
