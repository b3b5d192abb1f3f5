"""Dotted paths into events, which may have any shape: whoever wrote them is not trusted."""

from __future__ import annotations

from typing import Any


def at(event: Any, path: str) -> Any:
    """What stands at a path such as dns.queries.0.rrname; None when nothing does. Numbers index lists."""
    for word in path.split("."):
        if isinstance(event, dict):
            event = event.get(word)
        elif isinstance(event, list) and word.isdigit() and int(word) < len(event):
            event = event[int(word)]
        else:
            return None
    return event


def put(made: dict[str, Any], path: str, value: Any) -> None:
    """Set what stands at a path; a number makes a list, whose elements come in order."""
    words = path.split(".")
    place: Any = made
    for word, following in zip(words, [*words[1:], ""], strict=True):
        inner: Any = value if not following else [] if following.isdigit() else {}
        if isinstance(place, list):
            if int(word) == len(place):
                place.append(inner)
            elif not following:
                place[int(word)] = inner
            place = place[int(word)]
        elif not following:
            place[word] = inner
        else:
            place = place.setdefault(word, inner)
