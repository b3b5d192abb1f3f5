"""The metadata key attack_target."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return () if "attack_target" in rule.metadata else ((WHOLE_RULE, ""),)


CHECK = Check(
    code="S800",
    title="no attack_target in metadata",
    severity="note",
    why="Analysts cannot tell what kind of machine is attacked.",
    fix="add attack_target, e.g. Web_Server",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; metadata:confidence High; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; metadata:attack_target Client_Endpoint; sid:1; rev:1;)',
    look=look,
)
