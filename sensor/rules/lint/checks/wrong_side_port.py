"""A service port on the client's side."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    if rule.direction != "->":
        return ()
    to_server = bool(rule.flow & {"to_server", "from_client"})
    to_client = bool(rule.flow & {"to_client", "from_server"})
    if to_server and _names_service(rule.source_port) and rule.destination_port == "any":
        return ((WHOLE_RULE, f"source port {rule.source_port}, flow to the server"),)
    if to_client and _names_service(rule.destination_port) and rule.source_port == "any":
        return ((WHOLE_RULE, f"destination port {rule.destination_port}, flow to the client"),)
    return ()


def _names_service(port: str) -> bool:
    return port.isdigit() and int(port) < 1024


CHECK = Check(
    code="H220",
    title="a service port on the client's side",
    severity="warning",
    why="Clients do not use such ports: the rule hardly ever fires.",
    fix="move the port to the other side, or turn flow round",
    bad='alert tcp any 25 -> any any (msg:"a"; flow:established,to_server; content:"evil"; sid:1;)',
    good='alert tcp any 25 -> any any (msg:"a"; flow:established,to_client; content:"evil"; sid:1;)',
    on=("flow",),
    look=look,
)
