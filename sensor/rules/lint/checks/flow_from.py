"""from_client and from_server."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    if rule.flow & {"from_client", "from_server"}:
        yield rule.first("flow"), ""


CHECK = Check(
    code="S501",
    title="from_client or from_server in flow",
    severity="note",
    why="Each means one of to_server and to_client; a search for one word misses the other.",
    fix="write to_server for from_client, to_client for from_server",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,from_client; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    on=("flow",),
    look=look,
)
