"""The message: a domain name in msg that can be clicked or looked up."""

import re
from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule

_DOMAIN = re.compile(
    r"\b(?:[a-z0-9-]+\.)+(?:com|net|org|info|biz|ru|cn|top|xyz|io|co|me|us|eu|vn|online|site|club)\b", re.I
)


def look(rule: Rule) -> Iterable[Place]:
    found = "." in rule.msg and _DOMAIN.search(rule.msg)
    if found:
        yield rule.first("msg"), found[0]


CHECK = Check(
    code="S406",
    title="a domain name in msg that can be clicked or looked up",
    severity="note",
    why="Consoles and mails turn it into a link, and looking it up tells its owner.",
    fix="put a blank before the last dot: evil .test",
    bad='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE Gate evil.com"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    good='alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"HD MALWARE Gate evil .com"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1; rev:1;)',
    on=("msg",),
    look=look,
)
