"""Sids in the ranges of published sets."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule

# What the public list of allocations gives to Emerging Threats and its commercial sister.
_RANGES = ((2_000_000, 2_103_999), (2_400_000, 2_609_999), (2_700_000, 2_899_999))
_OWNERS = ("ET ", "ETPRO ", "GPL ", "SURICATA ")


def look(rule: Rule) -> Iterable[Place]:
    if not rule.msg.startswith(_OWNERS) and any(low <= rule.sid <= high for low, high in _RANGES):
        yield rule.first("sid"), str(rule.sid)


CHECK = Check(
    code="S300",
    title="a sid in the range of a published set",
    severity="warning",
    why="An update of that set will collide with it, and one of the two rules is dropped.",
    fix="take a sid from 1000000 to 1999999",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:2100000; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1000001; rev:1;)',
    on=("sid",),
    look=look,
)
