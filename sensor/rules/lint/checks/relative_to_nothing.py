"""distance or within on a content that has none before it in its buffer."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule
from sensor.rules.lint.tables import keywords

_MOVES = {
    "content",
    "uricontent",
    "pcre",
    "byte_jump",
    "byte_extract",
    "byte_math",
    "byte_test",
    "base64_data",
}


def look(rule: Rule) -> Iterable[Place]:
    table = keywords()
    relative = {content.index for content in rule.contents if content.is_relative}
    if not relative:
        return
    buffers = {content.index: content.buffer for content in rule.contents}
    moved: set[str] = set()
    here = ""
    for index, (written, _, _, _) in enumerate(rule.options):
        name = table.canonical.get(written, written)
        if name in table.sticky:
            here = "" if name == "pkt_data" else name
        buffer = buffers.get(index, here)
        if index in relative and buffer not in moved:
            yield index, ""
        if name in _MOVES:
            moved.add(buffer)


CHECK = Check(
    code="H219",
    title="distance or within on the first content of its buffer",
    severity="note",
    why="There is no match before it to count from: it counts from the start of the buffer.",
    fix="write offset and depth",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; distance:4; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; offset:4; sid:1;)',
    on=("distance", "within"),
    look=look,
)
