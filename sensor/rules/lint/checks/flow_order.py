"""The order of words in flow."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule

_STATES = ("established", "not_established", "stateless")
_SIDES = ("to_server", "to_client", "from_server", "from_client")


def look(rule: Rule) -> Iterable[Place]:
    for index, value in rule.values("flow"):
        words = [word.strip() for word in value.split(",")]
        states = [i for i, word in enumerate(words) if word in _STATES]
        sides = [i for i, word in enumerate(words) if word in _SIDES]
        if states and sides and sides[0] < states[0]:
            yield index, ""


CHECK = Check(
    code="S500",
    title="the direction before the state in flow",
    severity="note",
    why="Rules in one order are read and compared faster.",
    fix="write established,to_server",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:to_server,established; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    on=("flow",),
    look=look,
)
