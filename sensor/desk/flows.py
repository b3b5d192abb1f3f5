"""Flows and alerts of a capture as the engine sees them, looked up by flow id or rule: one replay, of which
only what was asked for is kept.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sensor.config import Config
from sensor.desk.events import Event
from sensor.desk.replaying import events, only_types
from sensor.pcap.choose import FlowChoice, pair_from
from sensor.pcap.files import NANOSECONDS

if TYPE_CHECKING:
    from sensor._engine import Ruleset

MAX_FLOWS = 10_000
MAX_ALERTS = 10_000  # kept per flow and in all


@dataclass
class FlowRecord:
    """One flow: its flow event, the alerts on it, its protocol records."""

    flow_id: int
    event: Event = field(default_factory=dict)
    alerts: list[Event] = field(default_factory=list)
    records: list[Event] = field(default_factory=list)

    def choice(self) -> FlowChoice | None:
        """How its packets are found; None when no event names its ends."""
        event = self.event or next(iter([*self.alerts, *self.records]), {})
        try:
            ends = [(str(event[f"{side}_ip"]), int(event.get(f"{side}_port", 0))) for side in ("src", "dest")]
            pair = pair_from(str(event.get("proto", "")), ends)
        except (KeyError, ValueError):
            return None
        facts = event.get("flow", {})
        start, end = time_ns(facts.get("start")), time_ns(facts.get("end"))
        return FlowChoice(pair, start or 0, end or 1 << 63)


def time_ns(text: object) -> int | None:
    """An event's time."""
    try:
        when = datetime.fromisoformat(str(text))
        return int(when.replace(microsecond=0).timestamp()) * NANOSECONDS + when.microsecond * 1000
    except (ValueError, OverflowError):
        return None


def find_flows(
    config: Config,
    ruleset: Ruleset,
    paths: list[str],
    *,
    flow_ids: Collection[int] = (),
    sids: Collection[int] = (),
    every_alert: bool = False,
    records: Collection[str] = (),
) -> dict[int, FlowRecord]:
    """The flows with these ids, and those with alerts of these rules (or of any), by id. records: event types
    kept beside the flow, for flows asked for by id."""
    found: dict[int, FlowRecord] = {flow_id: FlowRecord(flow_id) for flow_id in flow_ids}
    seen: set[int] = set()
    count = 0
    for event in events(only_types(config, ["alert", "flow", *records]), ruleset, paths):
        flow_id = event.get("flow_id")
        if not isinstance(flow_id, int):
            continue
        kind = event["event_type"]
        if kind == "alert":
            is_wanted = every_alert or event["alert"].get("signature_id") in sids or flow_id in found
            if not is_wanted or count >= MAX_ALERTS or (flow_id not in found and len(found) >= MAX_FLOWS):
                continue
            count += 1
            found.setdefault(flow_id, FlowRecord(flow_id)).alerts.append(event)
        elif flow_id in found:
            seen.add(flow_id)
            if kind == "flow":
                found[flow_id].event = event
            elif len(found[flow_id].records) < MAX_ALERTS:
                found[flow_id].records.append(event)
    return {flow_id: record for flow_id, record in found.items() if flow_id in seen or record.alerts}
