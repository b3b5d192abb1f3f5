"""Exceptions in threshold.config: a directive with the comment before it that says who wanted it, why, and
until when. Suricata reads past the comment; here a directive holds no more once its day is over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime

MARK = "# haidang-exception:"
"""What such a comment begins with; behind it stands one JSON object."""

_MAX_CHARACTERS = 2000


@dataclass(frozen=True)
class Note:
    """Who wanted an exception, why, since when, and the last day on which it holds."""

    owner: str
    reason: str
    added: date
    expires: date

    @property
    def is_over(self) -> bool:
        """Whether its last day (UTC) is past."""
        return today() > self.expires

    def line(self) -> str:
        """The comment."""
        facts = {
            "owner": self.owner,
            "reason": self.reason,
            "added": self.added.isoformat(),
            "expires": self.expires.isoformat(),
        }
        return f"{MARK} {json.dumps(facts, ensure_ascii=False)}"


def today() -> date:
    """The day it is, UTC."""
    return datetime.now(UTC).date()


def read_note(line: str) -> Note | None:
    """The note in a comment that begins with MARK; None when it cannot be read."""
    text = line.removeprefix(MARK)
    if len(text) > _MAX_CHARACTERS:
        return None
    try:
        facts = json.loads(text)
        return Note(
            owner=str(facts["owner"]),
            reason=str(facts["reason"]),
            added=date.fromisoformat(facts["added"]),
            expires=date.fromisoformat(facts["expires"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
