"""Whether an event is what a filter describes: the paths and operators of suricata-verify's test.yaml."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

Event = Mapping[str, Any]

_INDEXED = re.compile(r"(.*)\[(\d+)\]", re.DOTALL)
_TEXT: dict[str, Callable[[Any, Any], bool]] = {
    "__find": lambda value, wanted: wanted in value,
    "__contains": lambda value, wanted: wanted in value,
    "__startswith": lambda value, wanted: value.startswith(wanted),
    "__endswith": lambda value, wanted: value.endswith(wanted),
}
_NUMBER: dict[str, Callable[[Any, Any], bool]] = {
    "__gt": operator.gt, "__gte": operator.ge, "__lt": operator.lt, "__lte": operator.le,
}  # fmt: skip


def value_at(event: Event, path: str) -> Any:
    """The value at `a.b[0].c`; `__len` at the end gives a length. None where there is nothing."""
    here: Any = event
    for step in path.split("."):
        if step in _TEXT or step in _NUMBER:
            return here
        if step == "__len":
            return len(here) if hasattr(here, "__len__") else None
        indexed = _INDEXED.fullmatch(step)
        name = indexed[1] if indexed else step
        if not isinstance(here, Mapping) or name not in here:
            return None
        here = here[name]
        if indexed:
            place = int(indexed[2])
            if not isinstance(here, list) or place >= len(here):
                return None
            here = here[place]
    return here


def differences(event: Event, wanted: Mapping[str, Any]) -> list[str]:
    """What of `wanted` the event does not have, a line each; nothing when it matches."""
    found = []
    for path, expected in wanted.items():
        if path in ("has-key", "not-has-key"):
            for each in expected if isinstance(expected, list) else [expected]:
                if (value_at(event, each) is not None) != (path == "has-key"):
                    found.append(f"{path}: {each}")
            continue
        value = value_at(event, path)
        if not _holds(path.rpartition(".")[2], value, expected):
            found.append(f"{path}: expected {expected!r}, got {value!r}")
    return found


def _holds(last: str, value: Any, expected: Any) -> bool:
    try:
        if last in _TEXT:
            return value is not None and _TEXT[last](value, expected)
        if last in _NUMBER:
            return value is not None and _NUMBER[last](value, expected)
    except (TypeError, AttributeError):
        return False
    return bool(value == expected)
