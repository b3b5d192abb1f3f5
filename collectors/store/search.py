"""The questions analysts ask of the store, as bound SQL. What they are asked with never becomes part of a
statement.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sensor.errors import UserError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MAX_LIMIT = 1_000_000
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
    """Events that answer, newest first; they are fetched in blocks. UserError for a question that makes no
    sense.
    """
    conditions, values = _conditions(question)
    order = "ASC" if question.oldest_first else "DESC"
    statement = (
        f"SELECT {', '.join(COLUMNS)}, raw FROM {database}.events WHERE {' AND '.join(conditions)} "
        f"ORDER BY ts {order}, sensor, epoch, lane, seq, row LIMIT {{rows:UInt64}}"
    )
    values["rows"] = min(max(question.limit, 1), MAX_LIMIT)
    with client.query_rows_stream(
        statement, parameters=values, column_formats={"raw": "string"}, settings={"max_block_size": 8192}
    ) as rows:
        for row in rows:
            *columns, raw = row
            yield Found(tuple(columns), raw if isinstance(raw, str) else bytes(raw).decode(errors="replace"))


def by_type(client: Client, database: str) -> list[tuple[str, str, int, datetime, datetime]]:
    """(sensor, event type, events, first, last) of the whole store; an empty type is what was no event."""
    answer = client.query(
        f"SELECT sensor, event_type, count(), min(ts), max(ts) FROM {database}.events "
        "GROUP BY sensor, event_type ORDER BY sensor, event_type"
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in answer.result_rows]


def top_signatures(client: Client, database: str, limit: int) -> list[tuple[int, str, int]]:
    """(sid, signature, alerts), most frequent first."""
    answer = client.query(
        f"SELECT sid, any(signature), count() AS alerts FROM {database}.events "
        "WHERE event_type = 'alert' GROUP BY sid ORDER BY alerts DESC, sid LIMIT {rows:UInt64}",
        parameters={"rows": limit},
    )
    return [(row[0], row[1], row[2]) for row in answer.result_rows]


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
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
    now = datetime.now(UTC)
    try:
        if text[-1:] in units and text[:-1].isdigit():
            return datetime.fromtimestamp(now.timestamp() - int(text[:-1]) * units[text[-1]], UTC)
        if text.replace(".", "", 1).isdigit() and len(text) > 8:
            return datetime.fromtimestamp(float(text), UTC)
        when = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise UserError(
            f"{text!r} is no time",
            fix="write 2026-01-31, 2026-01-31T08:00:00+07:00, seconds since 1970, or an age: 15m, 24h, 7d",
        ) from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _conditions(question: Question) -> tuple[list[str], dict[str, Any]]:
    conditions = ["event_type = {type:String}" if question.event_type else "event_type != ''"]
    values: dict[str, Any] = {"type": question.event_type} if question.event_type else {}
    if question.since:
        conditions.append("ts >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')")
        values["since"] = _microseconds(question.since)
    if question.until:
        conditions.append("ts < fromUnixTimestamp64Micro({until:Int64}, 'UTC')")
        values["until"] = _microseconds(question.until)
    if question.sid is not None:
        conditions.append("sid = {sid:UInt64}")
        values["sid"] = question.sid
    if question.signature:
        conditions.append("positionCaseInsensitiveUTF8(signature, {signature:String}) > 0")
        values["signature"] = question.signature
    if question.address:
        first, last = _range(question.address)
        conditions.append(
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
            conditions.append("endsWith(host, {host:String})")
            values["host"] = name[1:]
        else:
            conditions.append("host = {host:String}")
            values["host"] = name
    if question.flow_id is not None:
        conditions.append("flow_id = {flow:UInt64}")
        values["flow"] = question.flow_id
    if question.sensor:
        conditions.append("sensor = {sensor:String}")
        values["sensor"] = question.sensor
    return conditions, values


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


def _microseconds(when: datetime) -> int:
    return int(when.timestamp() * 1_000_000)
