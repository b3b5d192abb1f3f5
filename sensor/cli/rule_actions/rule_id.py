"""The rule that an action is about, as people write it."""

from __future__ import annotations

from sensor.errors import UserError


def rule_id(text: str) -> tuple[int, int]:
    """(gid, sid) of `2024897` or `1:2024897`. Raises UserError."""
    gid, _, sid = text.rpartition(":")
    words = (gid or "1", sid)
    if not all(word.isascii() and word.isdigit() and int(word) < 2**32 for word in words):
        raise UserError(f"{text!r} is no rule", where="SID", fix="e.g. 2024897, or 1:2024897")
    return int(words[0]), int(words[1])
