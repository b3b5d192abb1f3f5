"""The fast pattern is part of nearly every message of its kind."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule

# Lower case. What every client and server of these protocols sends in each message.
_COMMON = frozenset(
    (
        b"get ", b"get /", b"post ", b"post /", b"head ", b"http/1.", b"http/1.0", b"http/1.1", b" http/1.1",
        b"http", b"http://", b"https://", b"www.", b".com", b".net", b".org", b"host:", b"host: ", b"\r\nhost: ",
        b"user-agent", b"user-agent:", b"user-agent: ", b"\r\nuser-agent: ", b"mozilla", b"mozilla/5.0",
        b"mozilla/4.0", b"accept:", b"accept: ", b"accept: */*", b"connection:", b"connection: close",
        b"connection: keep-alive", b"keep-alive", b"content-type", b"content-type:", b"content-type: ",
        b"content-length", b"content-length:", b"content-length: ", b"cookie:", b"cookie: ", b"text/html",
        b"200 ok", b"http/1.1 200 ok", b"\r\n\r\n", b"\r\n", b"<html", b"<html>", b"</html>", b"<script", b"function",
        b".php", b".html", b".asp", b"mail from:", b"rcpt to:", b"ehlo ", b"subject:", b"from:", b"user ", b"pass ",
        b"\xffsmb", b"\xfesmb", b"\x16\x03\x01", b"\x16\x03\x03", b"mz", b"pk\x03\x04", b"ssh-", b"ssh-2.0-",
    )
)  # fmt: skip


def look(rule: Rule) -> Iterable[Place]:
    content = rule.fast_pattern
    if content is None or content.is_negated or "prefilter" in rule.spelled:
        return ()
    data = content.data.lower()
    if data in _COMMON:
        return ((content.index, repr(data.decode("latin-1"))),)
    if len(data) > 1 and len(set(data)) == 1:
        return ((content.index, f"one byte {len(data)} times over"),)
    return ()


CHECK = Check(
    code="H102",
    title="the fast pattern is common",
    severity="warning",
    why="What nearly every message holds lets nearly every message through to the full evaluation.",
    fix="write fast_pattern behind a rarer content",
    bad='alert tcp any any -> any 80 (msg:"a"; flow:established,to_server; content:"HTTP/1.1"; sid:1;)',
    good='alert tcp any any -> any 80 (msg:"a"; flow:established,to_server; content:"HTTP/1.1"; content:"x-gate"; '
    "fast_pattern; sid:1;)",
    on=("content",),
    look=look,
)
