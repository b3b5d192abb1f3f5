"""A raw tree against the table of known keys: typed values out, and what is unknown or unusable."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sensor.config.reading import KeyPath, Tree, Value
from sensor.config.schema import KEYS, Key
from sensor.config.values import Json, show

SHORT_LISTS = (("outputs", "[]"), ("outputs", "[]", "eve-log", "types", "[]"))
"""Lists whose entries may be a bare name: `- flow` is short for `- flow:`."""


@dataclass
class _Node:
    """One step of the known paths."""

    exact: dict[str, _Node] = field(default_factory=dict)
    globs: dict[str, _Node] = field(default_factory=dict)
    key: Key | None = None
    rest: Key | None = None  # `**`: whatever is below


@functools.cache
def _root() -> _Node:
    root = _Node()
    for key in KEYS:
        node = root
        for step in key.path.split("."):
            if step == "**":
                node.rest = key
                break
            branch = node.globs if "*" in step else node.exact
            node = branch.setdefault(step, _Node())
        else:
            node.key = key
    return root


@dataclass
class Match:
    """What came of a tree. Paths are as the user would write them in --set."""

    tree: dict[str, Json] = field(default_factory=dict)
    unknown: list[KeyPath] = field(default_factory=list)
    without_effect: list[tuple[KeyPath, str]] = field(default_factory=list)
    errors: list[tuple[KeyPath, str]] = field(default_factory=list)


def match(tree: Tree) -> Match:
    """Convert every known key of a raw tree; empty values count as not given."""
    result = Match()
    result.tree = _section(result, tree, (), [_root()], None)
    return result


def key_of(path: KeyPath) -> Key | None:
    """The table's entry for a path, numbers standing for list entries."""
    nodes, rest = [_root()], None
    for step in path:
        nodes, rest = _below(nodes, "[]" if step.isdigit() else step, rest)
    return next((node.key for node in nodes if node.key is not None), rest)


def _below(nodes: Sequence[_Node], step: str, rest: Key | None) -> tuple[list[_Node], Key | None]:
    found = [node.exact[step] for node in nodes if step in node.exact]
    found += [
        child
        for node in nodes
        for pattern, child in node.globs.items()
        if step != "[]" and fnmatchcase(step, pattern)
    ]
    return found, next((node.rest for node in nodes if node.rest is not None), rest)


def _section(
    result: Match, tree: Tree, at: KeyPath, nodes: Sequence[_Node], rest: Key | None
) -> dict[str, Json]:
    typed: dict[str, Json] = {}
    for name, value in tree.items():
        below, further = _below(nodes, name, rest)
        converted = _value(result, value, (*at, name), below, further)
        if converted is not None:
            typed[name] = converted
    return typed


def _value(result: Match, value: Value, at: KeyPath, nodes: Sequence[_Node], rest: Key | None) -> Json:
    key = next((node.key for node in nodes if node.key is not None), None)
    inner = [node for node in nodes if node.exact or node.globs]
    if key is None and not inner:
        # `**` may also stand for the name itself, as in `plugins.**` for an empty or a plain `plugins:`.
        key = next((node.rest for node in nodes if node.rest is not None), rest)
        if key is None:
            result.unknown.append(at)
            return None
    if key is not None:
        return _convert(result, key, value, at)
    rest = next((node.rest for node in nodes if node.rest is not None), rest)
    if isinstance(value, dict):
        return _section(result, value, at, inner, rest)
    if isinstance(value, list):
        return _list(result, value, at, inner, rest)
    if value is not None:
        result.errors.append((at, f"{show(value)} is not a section; write its keys below it, indented"))
    return None


def _list(result: Match, items: list[Value], at: KeyPath, nodes: Sequence[_Node], rest: Key | None) -> Json:
    below, further = _below(nodes, "[]", rest)
    if not below:
        result.errors.append((at, "a list is not possible here; write its keys below it, without '-'"))
        return None
    typed: list[Json] = []
    pattern = tuple("[]" if step.isdigit() else step for step in (*at, "0"))
    for i, item in enumerate(items):
        here = (*at, str(i))
        if pattern in SHORT_LISTS:
            typed.append(_named_entry(result, item, here, below, further))
        else:
            typed.append(_value(result, item, here, below, further))
    return typed


def _named_entry(result: Match, item: Value, at: KeyPath, nodes: Sequence[_Node], rest: Key | None) -> Json:
    """An entry of outputs or types: always a section, so that a bare `- flow` is kept as {"flow": {}}."""
    entry: Tree = {item: None} if isinstance(item, str) else item if isinstance(item, dict) else {}
    errors_before = len(result.errors)
    typed = _section(result, entry, at, nodes, rest)
    if any(isinstance(section, dict) and section.get("enabled") is False for section in typed.values()):
        del result.errors[errors_before:]  # what is switched off may hold what this build cannot do
    for name, value in entry.items():
        known = _below(nodes, name, rest)[0]
        if value is None and name not in typed and any(node.exact for node in known):
            typed[name] = {}
    return typed


def _convert(result: Match, key: Key, value: Value, at: KeyPath) -> Json:
    if key.reader == "none":
        if value is not None:
            result.without_effect.append((at, key.doc))
        return None
    if value is None:
        return None
    try:
        return key.kind.convert(value)
    except (ValueError, RecursionError) as error:
        result.errors.append((at, str(error)))
        return None
