"""Keywords that have a newer form, as the engine's table tells them."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule
from sensor.rules.lint.tables import keywords


def look(rule: Rule) -> Iterable[Place]:
    older = keywords().older
    for name in rule.spelled.keys() & older.keys():
        yield rule.first(name), f"{name} is now {older[name]}"


CHECK = Check(
    code="H210",
    title="an older form of a keyword",
    severity="note",
    why="Older forms still load; newer ones say first where they look, take transforms, and can be read in order.",
    fix="write the newer form; a sticky buffer stands before its contents",
    bad='alert http any any -> any any (msg:"a"; flow:established,to_server; content:"/gate.php"; http_uri; sid:1;)',
    good='alert http any any -> any any (msg:"a"; flow:established,to_server; http.uri; content:"/gate.php"; sid:1;)',
    look=look,
)
