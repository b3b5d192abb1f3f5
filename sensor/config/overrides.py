"""`--set a.b.c=value` upon a raw configuration tree, as Suricata's hands write it.

A number names a place in a list (`outputs.1.eve-log.enabled=yes`); keys that do not exist are made.
"""

from __future__ import annotations

from itertools import pairwise

from sensor.config.reading import KeyPath, Tree, Value
from sensor.errors import UserError


def parse(text: str) -> tuple[KeyPath, str]:
    """`a.b.c=value` as (("a", "b", "c"), "value"). Raises UserError."""
    name, equals, value = text.partition("=")
    path = tuple(part.strip() for part in name.strip().split("."))
    if not equals or not all(path):
        raise UserError(
            "not of the form name=value", where=f"--set {text}", fix="for example --set stream.midstream=true"
        )
    return path, value.strip()


def apply(tree: Tree, path: KeyPath, value: str) -> str | None:
    """Set the value in place; why it could not be set, or None."""
    here: Value = tree
    for depth, (key, following) in enumerate(pairwise(path)):
        step = _step(here, key, path[:depth])
        if step is not None:
            return step
        here = _descend(here, key, following)
    step = _step(here, path[-1], path[:-1])
    if step is not None:
        return step
    if isinstance(here, list):
        _grow(here, int(path[-1]))
        here[int(path[-1])] = value
    elif isinstance(here, dict):
        here[path[-1]] = value
    return None


def _step(here: Value, key: str, at: KeyPath) -> str | None:
    if not isinstance(here, list):
        return None
    name = ".".join(at)
    if not key.isascii() or not key.isdigit():
        return f"{name} is a list; write {name}.NUMBER"
    if int(key) > len(here):
        return f"{name} has {len(here)} entries, so the next number is {len(here)}"
    return None


def _descend(here: Value, key: str, following: str) -> Value:
    # A list entry such as `- flow` is short for `- flow:`, so that `types.21.flow.x=` can hang options below
    # it.
    if isinstance(here, list):
        _grow(here, int(key))
        below = here[int(key)]
        if isinstance(below, str):
            below = {below: None}
        if below is None:
            below = {}
        here[int(key)] = below
        return below
    if not isinstance(here, dict):
        return None
    below = here.get(key)
    if not isinstance(below, (dict, list)):
        below = [] if following == "0" else {}
        here[key] = below
    return below


def _grow(items: list[Value], index: int) -> None:
    if index == len(items):
        items.append(None)
