"""The fast pattern is so short that it occurs everywhere."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import PAYLOAD, Rule

MIN_BYTES = (
    4  # three bytes occur by chance in every 16 MiB; the prefilter's first stage compares four at once
)
MIN_BUFFER_BYTES = 3  # a buffer holds one value, not a stream


def look(rule: Rule) -> Iterable[Place]:
    content = rule.fast_pattern
    if content is None or content.is_negated or "prefilter" in rule.spelled:
        return ()
    least = MIN_BYTES if content.buffer == PAYLOAD else MIN_BUFFER_BYTES
    bounded = content.modifiers.keys() & {"depth", "startswith", "endswith", "bsize"}
    if len(content.data) >= least or bounded:
        return ()
    return ((content.index, f"{len(content.data)} bytes"),)


CHECK = Check(
    code="H101",
    title="the fast pattern is short",
    severity="warning",
    why="Short patterns occur by chance, and each time the whole rule is evaluated.",
    fix="use a longer content, or say where it stands (depth, startswith)",
    bad='alert tcp any any -> any 9000 (msg:"a"; flow:established,to_server; content:"ab"; sid:1;)',
    good='alert tcp any any -> any 9000 (msg:"a"; flow:established,to_server; content:"ab"; depth:2; sid:1;)',
    on=("content",),
    look=look,
)
