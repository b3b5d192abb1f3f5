"""The metadata key signature_severity."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    return () if "signature_severity" in rule.metadata else ((WHOLE_RULE, ""),)


CHECK = Check(
    code="S801",
    title="no signature_severity in metadata",
    severity="note",
    why="Alerts cannot be ordered by what the author thought of them.",
    fix="add signature_severity Informational, Minor, Major or Critical",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; metadata:confidence High; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; metadata:signature_severity Major; sid:1; rev:1;)',
    look=look,
)
