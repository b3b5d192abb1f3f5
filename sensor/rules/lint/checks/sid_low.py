"""Sids below the local range."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule

_PUBLISHED = ("ET ", "ETPRO ", "GPL ", "SURICATA ")


def look(rule: Rule) -> Iterable[Place]:
    if not (1_000_000 <= rule.sid < 3_000_000 or rule.msg.startswith(_PUBLISHED)):
        yield rule.first("sid"), str(rule.sid)


CHECK = Check(
    code="S301",
    title="a sid outside of the local range and of the ranges of published sets",
    severity="note",
    why="Nobody else knows that the number is taken.",
    fix="take a sid from 1000000 to 1999999, or a range agreed upon with those who load the set",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1000001; rev:1;)',
    on=("sid",),
    look=look,
)
