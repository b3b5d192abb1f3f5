"""The engine's keyword table in the shape that checks ask: kinds, spellings, protocols. What is in it is the
engine's; nothing is added here.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Any

_OLDER_FORM = re.compile(r"^The (?:older form|old form|old name) of (.+?)\.(?:\s|$)")


class Keywords:
    """kind, protocols: by canonical name. canonical: every other spelling to it. older: names that have a
    newer form, to that form.
    """

    def __init__(self, table: list[dict[str, Any]], protocols: list[dict[str, Any]]) -> None:
        self.kind: dict[str, str] = {row["name"]: row["kind"] for row in table}
        self.protocols: dict[str, frozenset[str]] = {
            row["name"]: frozenset(row["protocols"]) for row in table if row.get("protocols")
        }
        self.canonical: dict[str, str] = {}
        for row in table:
            for alias in row["aliases"]:
                if alias not in self.kind:  # http_uri is another word for http.uri, and a modifier of its own
                    self.canonical[alias] = row["name"]
        self.older: dict[str, str] = {
            row["name"]: found[1] for row in table if (found := _OLDER_FORM.match(row["doc"]))
        }
        self.older |= {
            alias: name
            for alias, name in self.canonical.items()
            if "." in name and "." not in alias and ("_" in alias or "-" in alias)
        }
        self.app_protocols: dict[str, frozenset[str]] = {}  # as rules write them -> transports
        for row in protocols:
            for name in (row["name"], *row["aliases"]):
                self.app_protocols[name] = frozenset(row["transport"])
        self.sticky: frozenset[str] = frozenset(name for name, kind in self.kind.items() if kind == "buffer")
        self.buffer_of_modifier: dict[str, str] = {
            name: target
            for name, target in self.older.items()
            if self.kind.get(name) == "content-modifier" and target in self.sticky
        }


@functools.cache
def keywords() -> Keywords:
    """The table of this build. Raises ImportError without the engine."""
    from sensor import _engine

    return Keywords(json.loads(_engine.keywords()), json.loads(_engine.protocols()))
