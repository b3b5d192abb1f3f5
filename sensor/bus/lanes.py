"""The four lanes of the bus and which event goes into which. It must not parse an event.

A lane is a priority class with its own numbering: lower numbers are sent first and shed last. The engine
sorts its own events the same way (`sensor._engine.Batch.lane`); this module sorts lines that come from
elsewhere.
"""

from __future__ import annotations

import re

ALERT, HEALTH, EVIDENCE, LOGS = range(4)
NAMES = ("alert", "health", "evidence", "logs")
COUNT = len(NAMES)

_LANE_OF_TYPE = {
    b"alert": ALERT,
    b"stats": HEALTH,
    b"heartbeat": HEALTH,
    b"anomaly": EVIDENCE,
    b"fileinfo": EVIDENCE,
}

# In JSON a quote inside a string is always escaped, so these bytes, unescaped, can only be a key and its
# value: text that an attacker put into a field cannot move its event into another lane.
_EVENT_TYPE = re.compile(rb'(?<!\\)"event_type"\s*:\s*"([A-Za-z0-9_]{1,64})"')


def of_type(event_type: str) -> int:
    """The lane of events of this type."""
    return _LANE_OF_TYPE.get(event_type.encode(), LOGS)


def type_of(line: bytes) -> str:
    """The event type of one EVE line; '' when it names none."""
    found = _EVENT_TYPE.search(line)
    return found.group(1).decode() if found else ""


def classify(line: bytes) -> int:
    """The lane of one EVE line; LOGS when it names no event type."""
    return of_type(type_of(line))
