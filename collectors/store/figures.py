"""Counts over the events that a question finds: the most frequent values of a column, and events over
time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from collectors.store.search import LIMITS, Question, conditions, microseconds
from sensor.errors import UserError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MAX_TOP = 10_000
MAX_STEPS = 5_000
USUAL_STEPS = 60  # that a person takes in at once

STEPS_SECONDS = (
    1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000, 31_536_000,
)  # fmt: skip
"""What a timeline's step is chosen from when none is asked for."""

_ENDS = "arrayJoin([src_ip, dest_ip])"


class Count(NamedTuple):
    """What can be counted: the column's expression, the type of event that has it ('' for any), and what
    counts as absent.
    """

    expression: str
    event_type: str = ""
    absent: str = "''"


COUNTS = {
    "signature": Count("(sid, signature)", "alert", "(0, '')"),
    "category": Count("category", "alert"),
    "severity": Count("severity", "alert", "0"),
    "action": Count("action", "alert"),
    "src": Count("src_ip", absent="toIPv6('::')"),
    "dest": Count("dest_ip", absent="toIPv6('::')"),
    "ip": Count(_ENDS, absent="toIPv6('::')"),
    "port": Count("dest_port", absent="0"),
    "host": Count("host"),
    "url": Count("url", "http"),
    "app": Count("app_proto"),
    "proto": Count("proto"),
    "type": Count("event_type"),
    "sensor": Count("sensor"),
}
"""By the word that `haidang centre top` takes."""


class Counted(NamedTuple):
    """One value of a column. share: of all events that have one, 0 to 1. sid: of a signature, else None."""

    value: Any
    sid: int | None
    events: int
    share: float
    first: datetime
    last: datetime


class Step(NamedTuple):
    """One step of a timeline: when it begins, and what it holds."""

    begin: datetime
    events: int
    alerts: int


def top(client: Client, database: str, column: str, question: Question) -> list[Counted]:
    """The most frequent values of one of COUNTS, most frequent first; `question.limit` of them, MAX_TOP at
    most.
    """
    count = COUNTS[column]
    where, values = conditions(question)
    if count.event_type and not question.event_type:
        where.append(f"event_type = '{count.event_type}'")
    values["rows"] = min(max(question.limit, 1), MAX_TOP)
    rows = client.query(
        f"SELECT value, events, events / sum(events) OVER (), first, last FROM "
        f"(SELECT {count.expression} AS value, count() AS events, min(ts) AS first, max(ts) AS last "
        f"FROM {database}.events WHERE {' AND '.join(where)} GROUP BY value HAVING value != {count.absent}) "
        "ORDER BY events DESC, value LIMIT {rows:UInt64}",
        parameters=values,
        settings=LIMITS,
    ).result_rows
    made = []
    for value, events, share, first, last in rows:
        sid, shown = value if isinstance(value, tuple) else (None, value)
        made.append(Counted(shown, sid, events, share, first, last))
    return made


def timeline(
    client: Client, database: str, question: Question, step_seconds: int = 0
) -> tuple[int, list[Step]]:
    """(seconds of a step, every step from the first event to the last, also the empty ones). A step of 0 is
    chosen so that there are about USUAL_STEPS. Events without a readable time are left out. UserError when
    the steps would be more than MAX_STEPS.
    """
    where, values = conditions(question)
    where.append("ts > fromUnixTimestamp64Micro(0, 'UTC')")
    clause = f"FROM {database}.events WHERE {' AND '.join(where)}"
    found, first, last = client.query(
        f"SELECT count(), min(ts), max(ts) {clause}", parameters=values, settings=LIMITS
    ).result_rows[0]
    if not found:
        return step_seconds, []
    begin, end = microseconds(first) // 1_000_000, microseconds(last) // 1_000_000
    step = step_seconds or next(
        (size for size in STEPS_SECONDS if (end - begin) // size < USUAL_STEPS), STEPS_SECONDS[-1]
    )
    begin -= begin % step
    steps = (end - begin) // step + 1
    if steps > MAX_STEPS:
        raise UserError(
            f"that is {steps:,} steps of {step} s, more than {MAX_STEPS:,}",
            fix="give a larger --step, or less time with --since and --until",
        )
    values["step"] = step * 1_000_000
    counted = client.query(
        "SELECT intDiv(toUnixTimestamp64Micro(ts), {step:Int64}) AS number, count(), "
        f"countIf(event_type = 'alert') {clause} GROUP BY number ORDER BY number",
        parameters=values,
        settings=LIMITS,
    ).result_rows
    held = {number * step: (events, alerts) for number, events, alerts in counted}
    return step, [
        Step(datetime.fromtimestamp(at, UTC), *held.get(at, (0, 0))) for at in range(begin, end + 1, step)
    ]


class FlowFound(NamedTuple):
    """What the store holds of one flow_id at one sensor."""

    sensor: str
    events: int
    alerts: int
    first: datetime
    last: datetime
    src_ip: Any
    src_port: int
    dest_ip: Any
    dest_port: int
    proto: str
    app_proto: str


def flow(client: Client, database: str, question: Question) -> list[FlowFound]:
    """The flow of `question.flow_id`, by sensor: two sensors may have used the same number."""
    where, values = conditions(question)
    rows = client.query(
        # Who began it is what the flow's own record says; without one, what any event says.
        "SELECT sensor, count(), countIf(event_type = 'alert'), min(ts), max(ts), "
        "argMax((src_ip, src_port, dest_ip, dest_port, proto), event_type = 'flow'), max(app_proto) "
        f"FROM {database}.events WHERE {' AND '.join(where)} GROUP BY sensor ORDER BY sensor LIMIT {MAX_TOP}",
        parameters=values,
        settings=LIMITS,
    ).result_rows
    return [FlowFound._make((*row[:5], *row[5], row[6])) for row in rows]
