"""Two sets of rules on the same captures: which rules differ, which alerts came or went, what it costs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from sensor.config import Config
from sensor.errors import UserError
from sensor.output.fast import ALERT_LANE
from sensor.rules.loading import load
from sensor.rules.profiling import Profile, profile

if TYPE_CHECKING:
    from sensor._engine import RawRule, Ruleset

Rule = tuple[int, int]
"""gid, sid"""

Alerts = dict[tuple[Rule, str], Counter[tuple[int, int]]]
"""Alerts by rule and flow: how many by packet and transaction."""

EXAMPLES = 3
WAIT_SECONDS = 0.25
_NO_TEXT = ("gid", "sid", "rev", "msg", "reference", "metadata", "classtype", "priority")
"""Options that do not decide what a rule matches."""


@dataclass
class Side:
    """One set of rules and what it did."""

    rules: dict[Rule, RawRule]
    alerts: Alerts
    signatures: dict[Rule, str]
    cost: Profile

    @property
    def alert_count(self) -> int:
        return sum(places.total() for places in self.alerts.values())


@dataclass
class Change:
    """What became of the alerts of one rule, with a few flows as examples."""

    gid: int
    sid: int
    signature: str
    count: int
    examples: list[str] = field(default_factory=list)


@dataclass
class Cost:
    """What one rule costs before and after, nanoseconds and tries; 0 where it is not."""

    gid: int
    sid: int
    signature: str
    old_ns: int
    new_ns: int
    old_checks: int
    new_checks: int


@dataclass
class Difference:
    """The whole comparison."""

    old_rules: int
    new_rules: int
    rules_added: list[int]
    rules_removed: list[int]
    rules_changed: list[int]
    old_alerts: int
    new_alerts: int
    gained: list[Change] = field(default_factory=list)
    lost: list[Change] = field(default_factory=list)
    moved: list[Change] = field(default_factory=list)
    old_cost: dict[str, int] = field(default_factory=dict)
    new_cost: dict[str, int] = field(default_factory=dict)
    costs: list[Cost] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        return not (self.gained or self.lost or self.moved)

    def json(self) -> dict[str, Any]:
        """The comparison as plain data."""
        return asdict(self)


def side(config: Config, patterns: Sequence[str], captures: Sequence[str], warnings: list[str]) -> Side:
    """What a set of rules does on captures. What is to be said of it is added to `warnings`."""
    rules: list[RawRule] = []
    ruleset, report = load(config, only=patterns, read=rules)
    warnings += report.remarks
    alerts, signatures = alerts_of(config, ruleset, captures)
    cost, said = profile(config, ruleset, captures)
    warnings += said
    return Side({_rule_id(rule): rule for rule in rules}, alerts, signatures, cost)


def compare(old: Side, new: Side) -> Difference:
    """What is different in the new set."""
    both = old.rules.keys() & new.rules.keys()
    found = Difference(
        old_rules=len(old.rules),
        new_rules=len(new.rules),
        rules_added=sorted(sid for _, sid in new.rules.keys() - old.rules.keys()),
        rules_removed=sorted(sid for _, sid in old.rules.keys() - new.rules.keys()),
        rules_changed=sorted(
            rule[1] for rule in both if _meaning(old.rules[rule]) != _meaning(new.rules[rule])
        ),
        old_alerts=old.alert_count,
        new_alerts=new.alert_count,
        old_cost=_totals(old.cost),
        new_cost=_totals(new.cost),
    )
    signatures = {**old.signatures, **new.signatures}
    changes: dict[str, dict[Rule, Change]] = {"gained": {}, "lost": {}, "moved": {}}
    for key in sorted(old.alerts.keys() | new.alerts.keys()):
        rule, flow = key
        before, after = old.alerts.get(key, Counter()), new.alerts.get(key, Counter())
        gone, come = before - after, after - before
        moved = min(gone.total(), come.total())
        for name, count in (
            ("moved", moved),
            ("gained", come.total() - moved),
            ("lost", gone.total() - moved),
        ):
            if count:
                change = changes[name].setdefault(rule, Change(*rule, signatures.get(rule, ""), 0))
                change.count += count
                if len(change.examples) < EXAMPLES:
                    packets = sorted(packet for packet, _ in (gone if name == "lost" else come))
                    change.examples.append(f"{flow}, packet {packets[0]}")
    for name, by_rule in changes.items():
        getattr(found, name).extend(sorted(by_rule.values(), key=lambda change: (-change.count, change.sid)))
    found.costs = _costs(old.cost, new.cost)
    return found


def _costs(old: Profile, new: Profile) -> list[Cost]:
    """Every rule that was tried, the greatest change of cost first."""
    by_rule: dict[Rule, list[Any]] = defaultdict(lambda: [None, None])
    for at, cost in enumerate((old, new)):
        for rule in cost["rules"]:
            by_rule[rule["gid"], rule["sid"]][at] = rule
    nothing: Any = {"ns": 0, "checks": 0, "msg": ""}
    costs = []
    for (gid, sid), (before, after) in by_rule.items():
        was, now = before or nothing, after or nothing
        signature = (after or before)["msg"]
        costs.append(Cost(gid, sid, signature, was["ns"], now["ns"], was["checks"], now["checks"]))
    return sorted(costs, key=lambda cost: (-abs(cost.new_ns - cost.old_ns), cost.sid))


def _totals(cost: Profile) -> dict[str, int]:
    return {name: int(cost[name]) for name in ("ns", "rules_ns", "searches_ns", "checks")}


def alerts_of(config: Config, ruleset: Ruleset, captures: Sequence[str]) -> tuple[Alerts, dict[Rule, str]]:
    """Alerts by rule and flow, each flow's as a multiset of packet and transaction; and messages of rules."""
    from sensor._engine import EngineError, Replay

    decode = msgspec.json.Decoder().decode
    found: Alerts = defaultdict(Counter)
    signatures: dict[Rule, str] = {}
    try:
        engine = Replay(config.engine_json(), ruleset, list(captures), 1)
        while True:
            batch = engine.next_batch(WAIT_SECONDS)
            if batch is None:
                if engine.finished:
                    return dict(found), signatures
                continue
            for line in batch.lane(ALERT_LANE)[1].splitlines():
                event = decode(line)
                alert = event["alert"]
                rule = (alert["gid"], alert["signature_id"])
                signatures[rule] = alert["signature"]
                found[rule, _flow(event)][event.get("pcap_cnt", 0), event.get("tx_id", -1)] += 1
    except EngineError as error:
        raise UserError(str(error)) from None


def _flow(event: dict[str, Any]) -> str:
    ends = [
        f"{event.get(f'{end}_ip', '')}:{event[f'{end}_port']}"
        if f"{end}_port" in event
        else event.get(f"{end}_ip", "")
        for end in ("src", "dest")
    ]
    flow = event.get("flow_id")
    name = f"flow_id {flow}" if flow is not None else "no flow"
    return f"{' - '.join(sorted(ends))} {event.get('proto', '')} ({name})"


def _rule_id(rule: RawRule) -> Rule:
    numbers = {"gid": 1, "sid": 0}
    for keyword, value, *_ in rule[9]:
        if keyword.lower() in numbers and value is not None and value.strip().isdigit():
            numbers[keyword.lower()] = int(value)
    return numbers["gid"], numbers["sid"]


def _meaning(rule: RawRule) -> tuple[object, ...]:
    """What decides about a match."""
    options = [(keyword.lower(), value) for keyword, value, *_ in rule[9] if keyword.lower() not in _NO_TEXT]
    return (*rule[2:9], tuple(options))
