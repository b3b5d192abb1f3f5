"""Heartbeats among events: what sensor and centre both look for in the health lane."""

from __future__ import annotations

import re

_NUMBER = re.compile(rb'"event_type":"heartbeat","haidang":\{"heartbeat":\{"number":(\d{1,18})\}')


def numbers(lines: bytes) -> list[int]:
    """The heartbeats among lines of the health lane, by number (microseconds since the epoch, as sent)."""
    return [int(found) for found in _NUMBER.findall(lines)] if b'"heartbeat"' in lines else []
