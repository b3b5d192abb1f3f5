"""The message: characters beyond ASCII in msg."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule


def look(rule: Rule) -> Iterable[Place]:
    if not rule.msg.isascii():
        yield rule.first("msg"), ""


CHECK = Check(
    code="S409",
    title="characters beyond ASCII in msg",
    severity="note",
    why="Some outputs and consoles still show them as rubbish.",
    fix="write ASCII",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE Gäte"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE Gate"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    on=("msg",),
    look=look,
)
