"""Two eve files compared: alerts as multisets by rule and flow, then field by field; other events by counts
and by fields.

Both files are read in step, and only what does not cancel out is kept, so that memory follows the difference
and not the size. A second reading fetches examples. Flow ids are made anew by every sensor and are never
compared; what else shall not be is the caller's choice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

import msgspec

from sensor.desk.alerts import flow_of
from sensor.desk.events import Event, Leaf, leaves, read_events

NEVER_COMPARED = ("flow_id", "parent_id")
COUNTED_ONLY = ("stats",)  # they measure the run, not the traffic
MAX_PATHS = 4096  # field paths per file set; names of fields can come from the wire
MAX_HELD = 20_000  # alerts held to be matched field by field
MAX_VALUES = 2_000  # different values held per field for examples
EXAMPLES = 3
_64_BITS = (1 << 64) - 1

Rule = tuple[int, int]  # gid, sid
AlertIdentity = tuple[int, int, str]
Key = TypeVar("Key")


@dataclass
class RuleDifference:
    """What one rule has more of in one file."""

    rule: Rule
    signature: str
    only_a: int = 0
    only_b: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass
class FieldDifference:
    """A field whose values differ: on matched alerts of a rule, or over all events of a type."""

    name: str
    count: int
    examples: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Result:
    """The whole comparison."""

    events: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    alerts_in_both: int = 0
    rules: list[RuleDifference] = field(default_factory=list)
    alert_fields: dict[Rule, list[FieldDifference]] = field(default_factory=dict)
    type_fields: dict[str, list[FieldDifference]] = field(default_factory=dict)
    not_matched: int = 0  # alerts past MAX_HELD: counted, their fields not compared
    paths_are_cut: bool = False
    alerts_only: bool = False

    @property
    def is_equal(self) -> bool:
        a, b = self.events
        same_counts = self.alerts_only or all(
            a[name] == b[name] for name in a.keys() | b.keys() if name not in COUNTED_ONLY
        )
        return same_counts and not (self.rules or self.alert_fields or self.type_fields or self.not_matched)


def compare(
    path_a: Path, path_b: Path, *, ignore: Sequence[str] = (), alerts_only: bool = False, fields: bool = True
) -> Result:
    """Compare two eve files. ignore: dotted fields to leave out; fields: also compare values."""
    left_out = frozenset([*NEVER_COMPARED, *ignore])
    result = Result(alerts_only=alerts_only)
    first = _FirstReading(left_out, result, alerts_only, fields)
    for event_a, event_b in zip_longest(read_events(path_a), read_events(path_b)):
        if event_a is not None:
            first.take(event_a, 0)
        if event_b is not None:
            first.take(event_b, 1)
    second = _SecondReading(first, left_out)
    if second.is_needed:
        for side, path in enumerate((path_a, path_b)):
            for event in read_events(path):
                second.take(event, side)
    second.fill(result)
    result.alerts_in_both = result.events[0]["alert"] - sum(rule.only_a for rule in result.rules)
    return result


def over_all_rules(result: Result) -> list[tuple[FieldDifference, int]]:
    """The fields that differ on matched alerts, over all rules, with the number of rules; worst first."""
    found: dict[str, tuple[FieldDifference, int]] = {}
    for differences in result.alert_fields.values():
        for one in differences:
            whole, rules = found.get(one.name, (FieldDifference(one.name, 0, one.examples[:1]), 0))
            whole.count += one.count
            found[one.name] = whole, rules + 1
    return sorted(found.values(), key=lambda item: (-item[0].count, item[0].name))


def _identity(event: Event) -> AlertIdentity:
    alert = event.get("alert")
    facts = alert if isinstance(alert, dict) else {}
    return _whole(facts.get("gid", 1)), _whole(facts.get("signature_id")), flow_of(_with_short_ends(event))


def _with_short_ends(event: Event) -> Event:
    ends = dict(leaves({k: event.get(k) for k in ("src_ip", "dest_ip")}))
    return {**event, **ends}


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _digest(value: object) -> int:
    return hash(repr(value))  # of this process alone: keyed, so that nobody can make two texts collide


class _FirstReading:
    """Adds what is in A and takes away what is in B, so that equal files leave nothing behind."""

    def __init__(self, left_out: frozenset[str], result: Result, alerts_only: bool, fields: bool) -> None:
        self.alerts: dict[AlertIdentity, tuple[int, int]] = {}  # count A - B, sum of digests A - B
        self.paths: dict[tuple[str, str], tuple[int, int]] = {}  # (event type, field): the same
        self._left_out, self._result = left_out, result
        self._alerts_only, self._fields = alerts_only, fields

    def take(self, event: Event, side: int) -> None:
        kind = event["event_type"]
        self._result.events[side][kind] += 1
        sign = -1 if side else 1
        if kind == "alert":
            digest = _digest(sorted_leaves(event, self._left_out)) if self._fields else 0
            _add(self.alerts, _identity(event), sign, digest)
        elif not self._alerts_only and self._fields and kind not in COUNTED_ONLY:
            for path, value in leaves(event, self._left_out):
                key = (kind, path)
                if key not in self.paths and len(self.paths) >= MAX_PATHS:
                    self._result.paths_are_cut = True
                    key = (kind, "(other fields)")
                _add(self.paths, key, sign, _digest([path, value]))


def _add(table: dict[Key, tuple[int, int]], key: Key, sign: int, digest: int) -> None:
    count, digests = table.get(key, (0, 0))
    count, digests = count + sign, (digests + sign * digest) & _64_BITS
    if count or digests:
        table[key] = count, digests
    else:
        table.pop(key, None)


def sorted_leaves(event: Event, left_out: frozenset[str]) -> list[tuple[str, Leaf]]:
    """The leaves of an event in one order whatever the order of its keys; members of lists keep theirs."""
    return sorted(leaves(event, left_out), key=lambda leaf: leaf[0])


class _SecondReading:
    """Fetches from both files what the first reading found to differ."""

    def __init__(self, first: _FirstReading, left_out: frozenset[str]) -> None:
        self._alerts, self._paths, self._left_out = first.alerts, first.paths, left_out
        self._types = {kind for kind, _ in first.paths}
        self._held: dict[AlertIdentity, tuple[list[Event], list[Event]]] = defaultdict(lambda: ([], []))
        self._over: dict[AlertIdentity, list[int]] = defaultdict(lambda: [0, 0])
        self._count = 0
        self._values: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.is_needed = bool(first.alerts or first.paths)

    def take(self, event: Event, side: int) -> None:
        kind = event["event_type"]
        if kind == "alert":
            identity = _identity(event)
            if identity not in self._alerts:
                return
            if self._count < MAX_HELD:
                self._count += 1
                self._held[identity][side].append(event)
            else:
                self._over[identity][side] += 1
        elif kind in self._types:
            for path, value in leaves(event, self._left_out):
                values = self._values[(kind, path)] if (kind, path) in self._paths else None
                if values is None:
                    continue
                text = shown(value)
                if text in values or len(values) < MAX_VALUES:
                    values[text] += -1 if side else 1
                    if not values[text]:
                        del values[text]

    def fill(self, result: Result) -> None:
        rules: dict[Rule, RuleDifference] = {}
        per_field: dict[Rule, dict[str, FieldDifference]] = defaultdict(dict)
        for identity in {*self._held, *self._over}:
            a, b = self._held.get(identity, ([], []))
            over_a, over_b = self._over.get(identity, (0, 0))
            difference = len(a) + over_a - len(b) - over_b
            rule = identity[:2]
            if difference:
                entry = rules.setdefault(rule, RuleDifference(rule, _signature([*a, *b])))
                entry.only_a += max(difference, 0)
                entry.only_b += max(-difference, 0)
                if len(entry.examples) < EXAMPLES:
                    entry.examples.append(_example(identity, a if difference > 0 else b))
            if over_a or over_b:
                result.not_matched += min(len(a) + over_a, len(b) + over_b)
                continue
            for left, right in _pairs(a, b, self._left_out):
                for path, one, other in _differing(left, right, self._left_out):
                    found = per_field[rule].setdefault(path, FieldDifference(path, 0))
                    found.count += 1
                    if len(found.examples) < EXAMPLES:
                        found.examples.append((one, other))
        result.rules = sorted(rules.values(), key=lambda r: (-(r.only_a + r.only_b), r.rule))
        result.alert_fields = {
            rule: sorted(found.values(), key=lambda f: (-f.count, f.name))
            for rule, found in sorted(per_field.items())
        }
        for (kind, path), (count, _) in sorted(self._paths.items()):
            values = self._values.get((kind, path), Counter())
            more = [(text, "") for text, n in values.most_common(EXAMPLES) if n > 0]
            less = [("", text) for text, n in values.most_common()[: -EXAMPLES - 1 : -1] if n < 0]
            changed = max(sum(n for n in values.values() if n > 0), -sum(n for n in values.values() if n < 0))
            result.type_fields.setdefault(kind, []).append(
                FieldDifference(path, max(changed, abs(count)), more + less)
            )


def _pairs(a: list[Event], b: list[Event], left_out: frozenset[str]) -> Iterator[tuple[Event, Event]]:
    """Alerts of one rule and flow side by side: what is equal first, the rest in order."""
    spare = Counter(_digest(sorted_leaves(event, left_out)) for event in b)
    rest_a = []
    for event in a:
        digest = _digest(sorted_leaves(event, left_out))
        if spare[digest]:
            spare[digest] -= 1
        else:
            rest_a.append(event)
    rest_b = []
    for event in b:
        digest = _digest(sorted_leaves(event, left_out))
        if spare[digest]:
            spare[digest] -= 1
            rest_b.append(event)
    yield from zip(rest_a, rest_b, strict=False)


def _differing(a: Event, b: Event, left_out: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """(field, value in A, value in B) of two events; lists are compared whole."""
    sides: tuple[dict[str, list[Leaf]], dict[str, list[Leaf]]] = ({}, {})
    for side, event in zip(sides, (a, b), strict=True):
        for path, value in leaves(event, left_out):
            side.setdefault(path, []).append(value)
    for path in sorted(sides[0].keys() | sides[1].keys()):
        one, other = (side.get(path) for side in sides)
        if one != other:
            yield path, _list_shown(one), _list_shown(other)


def _list_shown(values: list[Leaf] | None) -> str:
    return "(absent)" if values is None else ", ".join(map(shown, values[:EXAMPLES]))


def shown(value: Leaf) -> str:
    """A value as JSON, cut to what fits a line."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."


def _signature(events: list[Event]) -> str:
    alert = events[0].get("alert") if events else None
    return str(alert.get("signature", "")) if isinstance(alert, dict) else ""


def _example(identity: AlertIdentity, events: list[Event]) -> str:
    when = str(events[0].get("timestamp", "")) if events else ""
    return f"{identity[2]} {when}".strip()
