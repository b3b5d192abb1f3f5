"""What makes two alerts the same one, and two multisets of alerts side by side. It must not know where alerts
come from.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Alert:
    """What makes two alerts the same one: the rule, the flow whatever its direction, the capture."""

    signature_id: int
    flow: str
    capture: str


Alerts = Counter[Alert]


def flow_of(event: Mapping[str, Any]) -> str:
    """The flow of an event, written the same way round in both directions: END-END/protocol."""
    ends = sorted(f"{event.get(f'{side}_ip')}:{event.get(f'{side}_port', '')}" for side in ("src", "dest"))
    return f"{ends[0]}-{ends[1]}/{str(event.get('proto')).lower()}"


def alert_of(line: str | bytes, capture: str) -> Alert | None:
    """The alert of one line of EVE; None when it is another event."""
    event = json.loads(line)
    if event.get("event_type") != "alert":
        return None
    return Alert(event["alert"]["signature_id"], flow_of(event), capture)


def alerts_of(lines: Iterable[str | bytes], capture: str) -> Alerts:
    """The alerts among lines of EVE."""
    found = (alert_of(line, capture) for line in lines)
    return Counter(alert for alert in found if alert is not None)


@dataclass
class Comparison:
    """Two multisets of alerts side by side."""

    ours: Alerts
    theirs: Alerts

    @property
    def in_both(self) -> int:
        return (self.ours & self.theirs).total()

    @property
    def recall(self) -> float:
        """Share of theirs that ours has; 1 when they have none."""
        return self.in_both / self.theirs.total() if self.theirs else 1.0

    @property
    def precision(self) -> float:
        """Share of ours that theirs has; 1 when we have none."""
        return self.in_both / self.ours.total() if self.ours else 1.0

    def report(self, worst: int) -> str:
        """The figures and the `worst` rules of each direction."""
        lines = [
            f"alerts: ours {self.ours.total()}, Suricata {self.theirs.total()}, in both {self.in_both}",
            f"recall {self.recall:.4f}, precision {self.precision:.4f}",
        ]
        for title, rest in (
            ("only Suricata", self.theirs - self.ours),
            ("only ours", self.ours - self.theirs),
        ):
            by_rule = counts_by_rule(rest)
            lines.append(f"{title}: {rest.total()} alerts of {len(by_rule)} rules")
            for signature_id, number in by_rule.most_common(worst):
                example = min(alert for alert in rest if alert.signature_id == signature_id)
                lines.append(f"  {signature_id} x{number}, e.g. {example.flow} in {example.capture}")
        return "\n".join(lines)


def counts_by_rule(alerts: Alerts) -> Counter[int]:
    """How many alerts each rule has."""
    by_rule: Counter[int] = Counter()
    for alert, number in alerts.items():
        by_rule[alert.signature_id] += number
    return by_rule
