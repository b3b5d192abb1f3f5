"""The questions analysts ask of the store, as bound SQL. What they are asked with never becomes part of a
statement.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sensor.errors import UserError
from sensor.spans import UNITS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MAX_LIMIT = 1_000_000
PAGE_ROWS = 5_000
"""Events fetched at once, some 5 MB of text: the engine is free again while a reader looks at them."""
LIMITS = {
    "max_execution_time": "60",  # seconds
    "max_memory_usage": str(4 * 1024**3),
    "max_result_bytes": str(1024**3),
    "max_bytes_before_external_group_by": str(1024**3),
    "max_bytes_before_external_sort": str(1024**3),
}
"""Bounds of one question in the engine; beyond them it is refused, and the store stays up."""
_LIKE_SIGNS = re.compile(r"[\\%_]")
_ESCAPED = r"\\\g<0>"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS = (
    "ts",
    "sensor",
    "event_type",
    "severity",
    "sid",
    "signature",
    "proto",
    "src_ip",
    "src_port",
    "dest_ip",
    "dest_port",
    "host",
    "flow_id",
)


@dataclass(frozen=True)
class Question:
    """What to look for; None and '' ask for anything. Times are packet time."""

    since: datetime | None = None
    until: datetime | None = None
    sid: int | None = None
    signature: str = ""
    address: str = ""
    host: str = ""
    text: str = ""
    flow_id: int | None = None
    sensor: str = ""
    event_type: str = ""
    limit: int = 100
    oldest_first: bool = False


@dataclass(frozen=True)
class Found:
    """One event: its columns (COLUMNS) and the line as the sensor wrote it."""

    columns: tuple[Any, ...]
    raw: str


def search(client: Client, database: str, question: Question) -> Iterator[Found]:
    """Events that answer, newest first, fetched page by page: memory does not grow with their number.
    UserError for a question that makes no sense.
    """
    order, beyond = ("ASC", ">") if question.oldest_first else ("DESC", "<")
    left = min(max(question.limit, 1), MAX_LIMIT)
    last: tuple[Any, ...] | None = None
    while left:
        where, values = conditions(question)
        if last is not None:
            # After the last one: an index serves the first of these, the rest tells events of one time apart.
            where.append(f"ts {beyond}= fromUnixTimestamp64Micro({{ts:Int64}}, 'UTC')")
            where.append(
                f"(ts {beyond} fromUnixTimestamp64Micro({{ts:Int64}}, 'UTC') "
                "OR (sensor, epoch, lane, seq, row) > "
                "({at_sensor:String}, {epoch:UInt64}, {lane:UInt8}, {seq:UInt64}, {row:UInt32}))"
            )
            values |= dict(zip(("at_sensor", "epoch", "lane", "seq", "row"), last[1:], strict=True))
            values["ts"] = microseconds(last[0])
        values["rows"] = min(left, PAGE_ROWS)
        page = client.query(
            f"SELECT {', '.join(COLUMNS)}, raw, epoch, lane, seq, row FROM {database}.events "
            f"WHERE {' AND '.join(where)} "
            f"ORDER BY ts {order}, sensor, epoch, lane, seq, row LIMIT {{rows:UInt64}}",
            parameters=values,
            column_formats={"raw": "string"},
            settings=LIMITS,
        ).result_rows
        for row in page:
            *columns, raw, epoch, lane, seq, number = row
            yield Found(tuple(columns), raw if isinstance(raw, str) else bytes(raw).decode(errors="replace"))
            last = (columns[0], columns[1], epoch, lane, seq, number)
        left -= len(page)
        if len(page) < values["rows"]:
            return


def by_type(client: Client, database: str) -> list[tuple[str, str, int, datetime, datetime]]:
    """(sensor, event type, events, first, last) of the whole store; an empty type is what was no event."""
    answer = client.query(
        f"SELECT sensor, event_type, count(), min(ts), max(ts) FROM {database}.events "
        "GROUP BY sensor, event_type ORDER BY sensor, event_type"
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in answer.result_rows]


def size(client: Client, database: str) -> tuple[int, int, int]:
    """(events, bytes on disk, parts) of the store."""
    answer = client.query(
        "SELECT sum(rows), sum(bytes_on_disk), count() FROM system.parts "
        "WHERE active AND database = {db:String} AND table IN ('events', 'events_local')",
        parameters={"db": database},
    )
    row = answer.result_rows[0]
    return int(row[0] or 0), int(row[1] or 0), int(row[2] or 0)


def parse_time(text: str) -> datetime:
    """A point in time: ISO 8601 (UTC when it names no zone), seconds since 1970, or an age such as 15m, 24h,
    7d.
    """
    now = datetime.now(UTC)
    try:
        if text[-1:] in UNITS and text[:-1].isdigit():
            return datetime.fromtimestamp(now.timestamp() - int(text[:-1]) * UNITS[text[-1]], UTC)
        if text.replace(".", "", 1).isdigit() and len(text) > 8:
            return datetime.fromtimestamp(float(text), UTC)
        when = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise UserError(
            f"{text!r} is no time",
            fix="write 2026-01-31, 2026-01-31T08:00:00+07:00, seconds since 1970, or an age: 15m, 24h, 7d",
        ) from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def conditions(question: Question) -> tuple[list[str], dict[str, Any]]:
    """The terms of a WHERE clause and the values bound in them. UserError for a question that makes no
    sense.
    """
    terms = ["event_type = {type:String}" if question.event_type else "event_type != ''"]
    values: dict[str, Any] = {"type": question.event_type} if question.event_type else {}
    if question.since:
        terms.append("ts >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')")
        values["since"] = microseconds(question.since)
    if question.until:
        terms.append("ts < fromUnixTimestamp64Micro({until:Int64}, 'UTC')")
        values["until"] = microseconds(question.until)
    if question.sid is not None:
        terms.append("sid = {sid:UInt64}")
        values["sid"] = question.sid
    if question.signature:
        terms.append("positionCaseInsensitiveUTF8(signature, {signature:String}) > 0")
        values["signature"] = question.signature
    if question.address:
        first, last = _range(question.address)
        terms.append(
            "((src_ip >= {low:IPv6} AND src_ip <= {high:IPv6}) OR (dest_ip >= {low:IPv6} AND dest_ip <= "
            "{high:IPv6}))"
            if first != last
            else "(src_ip = {low:IPv6} OR dest_ip = {low:IPv6})"
        )
        values["low"] = first
        if first != last:
            values["high"] = last
    if question.host:
        name = question.host.lower()
        if name.startswith("*."):
            terms.append("endsWith(host, {host:String})")
            values["host"] = name[1:]
        else:
            terms.append("host = {host:String}")
            values["host"] = name
    if question.text:
        terms.append("lower(payload) LIKE lower({text:String})")
        values["text"] = f"%{_LIKE_SIGNS.sub(_ESCAPED, question.text)}%"
    if question.flow_id is not None:
        terms.append("flow_id = {flow:UInt64}")
        values["flow"] = question.flow_id
    if question.sensor:
        terms.append("sensor = {sensor:String}")
        values["sensor"] = question.sensor
    return terms, values


def _range(text: str) -> tuple[str, str]:
    """First and last IPv6 address (IPv4 as ::ffff:a.b.c.d, as the store holds them) of an address or
    network.
    """
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise UserError(
            f"{text!r} is no address or network", fix="write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"
        ) from error
    first, last = network.network_address, network.broadcast_address
    prefix = "::ffff:" if network.version == 4 else ""
    return f"{prefix}{first}", f"{prefix}{last}"


def microseconds(when: datetime) -> int:
    """Since 1970."""
    return (when - _EPOCH) // timedelta(microseconds=1)  # exact, as a product of floats is not
