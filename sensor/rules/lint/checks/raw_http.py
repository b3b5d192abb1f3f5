"""HTTP read by hand."""

import re
from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import PAYLOAD, Rule

_HTTP = re.compile(
    rb"(?i)^(?:get|post|head|put) /|^(?:get|post|head) $|http/1\.[01]|(?:^|\r\n)(?:user-agent|host|cookie|referer|content-type):"
)


def look(rule: Rule) -> Iterable[Place]:
    if rule.protocol != "tcp":
        return
    for content in rule.contents:
        if content.buffer == PAYLOAD and not content.is_negated and _HTTP.search(content.data):
            yield content.index, ""
            return


CHECK = Check(
    code="H215",
    title="HTTP searched for as plain bytes over tcp",
    severity="warning",
    why="Header order, case, folding, chunking, compression and HTTP/2 all slip past; buffers see through them.",
    fix="write alert http and http.method, http.uri and their kin",
    bad='alert tcp any any -> any 80 (msg:"a"; flow:established,to_server; content:"GET /gate.php"; sid:1;)',
    good='alert http any any -> any any (msg:"a"; flow:established,to_server; http.method; content:"GET"; http.uri; '
    'content:"/gate.php"; sid:1;)',
    on=("content",),
    look=look,
)
