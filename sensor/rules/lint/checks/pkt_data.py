"""pkt_data after other buffers."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return ((rule.first("pkt_data"), ""),)


CHECK = Check(
    code="S010",
    title="pkt_data turns back to the payload",
    severity="note",
    why="Readers have to follow where each content looks; what follows is not relative to what came before.",
    fix="put the contents of the payload first",
    bad='alert http any any -> any any (msg:"a"; http.uri; content:"/gate.php"; pkt_data; content:"evil"; sid:1;)',
    good='alert http any any -> any any (msg:"a"; content:"evil"; http.uri; content:"/gate.php"; sid:1;)',
    on=("pkt_data",),
    look=look,
)
