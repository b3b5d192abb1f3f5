"""The size of the URI by bsize."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule
from sensor.rules.lint.tables import keywords


def look(rule: Rule) -> Iterable[Place]:
    table = keywords()
    buffer = ""
    for index, (written, _, _, _) in enumerate(rule.options):
        name = table.canonical.get(written, written)
        if name in table.sticky:
            buffer = name
        elif name == "bsize" and buffer == "http.uri":
            yield index, ""


CHECK = Check(
    code="S902",
    title="bsize on http.uri",
    severity="note",
    why="urilen is known before the buffer is made ready for bsize.",
    fix="write urilen instead",
    bad='alert http any any -> any any (msg:"a"; flow:established,to_server; http.uri; content:"/gate"; bsize:5; sid:1;)',
    good='alert http any any -> any any (msg:"a"; flow:established,to_server; urilen:5; http.uri; content:"/gate"; sid:1;)',
    on=("bsize",),
    look=look,
)
