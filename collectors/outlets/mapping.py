"""Tables that turn EVE's fields into another schema's. Every value passes a converter, so that a field that
an attacker or a plug-in gave another type is left out instead of breaking the receiver's schema.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, NamedTuple

from collectors.outlets.item import Item
from collectors.paths import at, put

OWN = "_"
"""Under this key of what a source path looks into stands what EVE does not have: id, received, when, raw."""


def text(value: Any) -> str | None:
    """Scalars as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value) or None


def number(value: Any) -> int | None:
    """Integers of 64 bits."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and abs(value) < 2**63 else None


def lower(value: Any) -> str | None:
    """Text in small letters."""
    found = text(value)
    return found.lower() if found else None


def address(value: Any) -> str | None:
    """An IP address; whatever else stands there would break a field of that type."""
    try:
        return str(ip_address(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def texts(value: Any) -> list[str] | None:
    """A list of text; one text is a list of one."""
    found = [text(entry) for entry in (value if isinstance(value, list) else [value])]
    return [entry for entry in found if entry] or None


def milliseconds(value: Any) -> int | None:
    """Of a datetime, since 1970."""
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else None


def rfc3339(value: Any) -> str | None:
    """Of a datetime, in UTC, with microseconds."""
    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def one_of(table: dict[Any, Any], default: Any = None) -> Callable[[Any], Any]:
    """By a table of known values."""
    return lambda value: table.get(value, default) if isinstance(value, str | int) else default


class Row(NamedTuple):
    """target: path in what is made. source: path in the event, or `=` and a constant, which stands when
    `only_with` (a path) does. how: a converter; None leaves the field out.
    """

    target: str
    source: str
    how: Callable[[Any], Any] = text
    only_with: str = ""


def build(table: Sequence[Row], item: Item) -> dict[str, Any]:
    """What the table makes of an event."""
    view = {**item.event, OWN: own(item)}
    made: dict[str, Any] = {}
    for target, source, how, only_with in table:
        if only_with and at(view, only_with) in (None, "", [], {}):
            continue
        value = how(source[1:] if source.startswith("=") else at(view, source))
        if value is not None:
            put(made, target, value)
    return made


def own(item: Item) -> dict[str, Any]:
    """What stands under OWN."""
    return {
        "id": item.id,
        "sensor": item.sensor,
        "when": item.when,
        "received": datetime.fromtimestamp(item.received_us / 1e6, UTC),
        "raw": item.raw,
    }
