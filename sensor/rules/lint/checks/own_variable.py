"""Variables that stock configurations do not define."""

import functools
import re
from collections.abc import Iterable

from sensor.config import load
from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule

_VARIABLE = re.compile(r"\$([A-Za-z0-9_.-]+)")


@functools.cache
def _stock() -> frozenset[str]:
    config = load()
    groups = (config.get("vars.address-groups"), config.get("vars.port-groups"))
    return frozenset(name for group in groups if isinstance(group, dict) for name in group)


@functools.cache
def _foreign(word: str) -> list[str]:
    return [name for name in _VARIABLE.findall(word) if name not in _stock()]


def look(rule: Rule) -> Iterable[Place]:
    head = rule.text[: rule.text.find("(")]
    if "$" in head:
        for word in rule.header[2:]:
            for name in _foreign(word):
                yield WHOLE_RULE, name


CHECK = Check(
    code="S013",
    title="a variable of its own",
    severity="note",
    why="Where it is not defined the rule is quarantined.",
    fix="use a variable of the stock configuration, or tell users to define it",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET [$PROXY_PORTS,8080] (msg:"a"; http.uri; content:"/gate.php"; sid:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    look=look,
)
