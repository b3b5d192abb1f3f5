"""A regular expression that has to be tried at every byte, with no content beside it."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import PAYLOAD, Rule, pcre_parts
from sensor.rules.lint.tables import keywords


def look(rule: Rule) -> Iterable[Place]:
    table = keywords()
    held = {content.buffer for content in rule.contents if not content.is_negated}
    buffer = PAYLOAD
    for index, (written, value, _, _) in enumerate(rule.options):
        name = table.canonical.get(written, written)
        if name in table.sticky:
            buffer = PAYLOAD if name == "pkt_data" else name
        elif name == "pcre" and buffer not in held:
            _, body, flags = pcre_parts(value or "")
            old_letters = set(flags) & set("UIHDPQMCSYVWZ")
            if (
                not old_letters
                and "R" not in flags
                and "A" not in flags
                and not body.startswith(("^", "(?:^", "\\A"))
            ):
                yield index, ""


CHECK = Check(
    code="H103",
    title="an unanchored pcre without a content in its buffer",
    severity="warning",
    why="The expression is tried at every byte of the buffer; a content there would say first whether it can match.",
    fix="begin it with ^, or put a content of the same buffer before it",
    bad='alert http any any -> any any (msg:"a"; flow:established,to_server; http.method; content:"POST"; '
    'http.uri; pcre:"/[a-z]{8}\\.php/"; sid:1;)',
    good='alert http any any -> any any (msg:"a"; flow:established,to_server; http.method; content:"POST"; '
    'http.uri; content:".php"; pcre:"/[a-z]{8}\\.php/"; sid:1;)',
    on=("pcre",),
    look=look,
)
