"""One event on its way out, with the identity it has for ever."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sensor.bus.records import Record


@dataclass(frozen=True)
class Item:
    """id: sensor/epoch/lane/seq/row, the same whenever the event is sent again. received_us: since 1970."""

    id: str
    sensor: str
    received_us: int
    raw: str
    event: dict[str, Any]

    @property
    def event_type(self) -> str:
        kind = self.event.get("event_type")
        return kind if isinstance(kind, str) else ""

    @property
    def severity(self) -> int | None:
        """An alert's, 1 is worst; None for what has none."""
        alert = self.event.get("alert")
        value = alert.get("severity") if isinstance(alert, dict) else None
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def when(self) -> datetime:
        """Of the packet, in UTC; of receipt when the event does not say."""
        try:
            told = datetime.fromisoformat(self.event["timestamp"])
            return (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC)
        except (KeyError, TypeError, ValueError, OverflowError):
            return datetime.fromtimestamp(self.received_us / 1e6, UTC)


def items(record: Record, ndjson: bytes) -> list[Item]:
    """The events of a verified batch. Lines that are no event are left out: the store keeps them apart."""
    made = []
    for row, line in enumerate(ndjson.split(b"\n")[:-1]):
        try:
            raw = line.decode()
            event = json.loads(raw)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict) and isinstance(event.get("event_type"), str):
            identity = f"{record.sensor}/{record.epoch:016x}/{record.lane}/{record.seq}/{row}"
            made.append(Item(identity, record.sensor, record.added_us, raw, event))
    return made
