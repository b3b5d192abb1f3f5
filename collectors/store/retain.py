"""What the store forgets: by class (the lanes of the bus) after so many days, and beyond a quota the oldest
of the least.

A day of receipt and a class go as one. Days that lose everything are dropped; others are rewritten by the
engine in the background. The present day stays. Whatever goes is counted in the store's table `retired`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from collectors.store import migrate, schema
from collectors.store.schema import Cluster
from collectors.store.search import size
from sensor.bus import lanes
from sensor.errors import UserError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

log = logging.getLogger("haidang.retain")

_EVERY_SECONDS = 600.0
_LOOK_SECONDS = 1.0
_PATIENCE_SECONDS = 3600.0  # for one day's rewriting
_SHED_ORDER = (lanes.LOGS, lanes.EVIDENCE, lanes.HEALTH, lanes.ALERT)


class Piece(NamedTuple):
    """One class of one day of receipt. share: of the day's bytes, estimated by rows."""

    day: date
    lane: int
    events: int
    bytes: int
    reason: str = ""


def held(client: Client, database: str, cluster: Cluster | None = None) -> list[Piece]:
    """What the store holds, oldest first. Of a cluster: on one replica of every shard."""
    parts = client.query(parts_query(cluster), parameters={"db": database}).result_rows
    stored = {str(partition): int(count) for partition, count in parts}
    rows = client.query(
        f"SELECT toYYYYMMDD(received) AS day, lane, count() FROM {database}.events GROUP BY day, lane "
        "ORDER BY day, lane"
    ).result_rows
    events: dict[int, int] = {}
    for day, _, count in rows:
        events[day] = events.get(day, 0) + count
    return [
        Piece(_date(day), lane, count, stored.get(str(day), 0) * count // events[day])
        for day, lane, count in rows
    ]


def doomed(pieces: list[Piece], days: Mapping[str, int], quota_bytes: int, today: date) -> list[Piece]:
    """What goes: what is older than its class is kept (0: for ever), then, while the rest is above the quota
    (0: none), the oldest of the lowest class.
    """
    aged, left = [], []
    for piece in pieces:
        keep = days.get(lanes.NAMES[piece.lane], 0)
        if keep and piece.day < today - timedelta(days=keep):
            aged.append(piece._replace(reason="age"))
        else:
            left.append(piece)
    excess = sum(piece.bytes for piece in left) - quota_bytes if quota_bytes else 0
    shed = []
    for piece in sorted(left, key=lambda entry: (_SHED_ORDER.index(entry.lane), entry.day)):
        if excess <= 0:
            break
        if piece.day < today:
            shed.append(piece._replace(reason="quota"))
            excess -= piece.bytes
    return aged + shed


def retain(
    client: Client,
    database: str,
    days: Mapping[str, int],
    quota_bytes: int,
    *,
    today: date | None = None,
    cluster: Cluster | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Piece]:
    """Delete what goes; returns it."""
    migrate.bring_up(client, database, cluster)
    today = today or datetime.now(UTC).date()
    pieces = held(client, database, cluster)
    going = doomed(pieces, days, quota_bytes, today)
    there: dict[date, set[int]] = {}
    for piece in pieces:
        there.setdefault(piece.day, set()).add(piece.lane)
    gone: list[Piece] = []
    for day in sorted({piece.day for piece in going}):
        if stop():
            break
        parts = [piece for piece in going if piece.day == day]
        chosen = {piece.lane for piece in parts}
        is_all = chosen == there[day]
        client.command(forget_statement(database, day, None if is_all else chosen, cluster))
        if not is_all:
            _await_mutations(client, database, stop, cluster)
        for piece in parts:
            client.command(
                f"INSERT INTO {database}.retired SELECT toDate('{day.isoformat()}'), "
                f"'{lanes.NAMES[piece.lane]}', {piece.events}, '{piece.reason}', now()"
            )
        gone += parts
    return gone


def parts_query(cluster: Cluster | None) -> str:
    """(partition, bytes) of the events that are held."""
    return (
        f"SELECT partition, sum(bytes_on_disk) FROM {_system('parts', 'cluster', cluster)} WHERE active AND "
        f"database = {{db:String}} AND table = '{schema.events_table(cluster)}' GROUP BY partition"
    )


def forget_statement(
    database: str, day: date, classes: Collection[int] | None, cluster: Cluster | None
) -> str:
    """What deletes these lanes of a day of receipt; all when there are none given."""
    on_cluster = f" ON CLUSTER {cluster.name}" if cluster else ""
    table = f"{database}.{schema.events_table(cluster)}{on_cluster}"
    if classes is None:
        return f"ALTER TABLE {table} DROP PARTITION ID '{day:%Y%m%d}'"
    some = ", ".join(str(lane) for lane in sorted(classes))
    return f"ALTER TABLE {table} DELETE IN PARTITION ID '{day:%Y%m%d}' WHERE lane IN ({some})"


def mutations_query(cluster: Cluster | None) -> str:
    """How many deletions are under way, on every replica."""
    return (
        f"SELECT count() FROM {_system('mutations', 'clusterAllReplicas', cluster)} WHERE database = "
        f"{{db:String}} AND table = '{schema.events_table(cluster)}' AND NOT is_done"
    )


def _system(table: str, function: str, cluster: Cluster | None) -> str:
    return f"{function}('{cluster.name}', system.{table})" if cluster else f"system.{table}"


def _await_mutations(
    client: Client, database: str, stop: Callable[[], bool], cluster: Cluster | None
) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and not stop():
        query = mutations_query(cluster)
        waiting = client.query(query, parameters={"db": database}).result_rows[0][0]
        if not waiting:
            return
        time.sleep(_LOOK_SECONDS / 5)


def _date(number: int) -> date:
    return date(number // 10_000, number // 100 % 100, number % 100)


class Retainer(threading.Thread):
    """Does it every ten minutes until `stop`."""

    def __init__(
        self,
        open_client: Callable[[], Client],
        database: str,
        days: Mapping[str, int],
        quota_bytes: int,
        cluster: Cluster | None = None,
    ) -> None:
        super().__init__(name="retention", daemon=True)
        self._open_client = open_client
        self._database = database
        self._days = days
        self._cluster = cluster
        self._quota_bytes = quota_bytes
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        self._stop_asked.set()

    def run(self) -> None:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        if not self._quota_bytes and not any(self._days.values()):
            return
        while not self._stop_asked.wait(_EVERY_SECONDS):
            try:
                client = self._open_client()
                try:
                    gone = retain(
                        client,
                        self._database,
                        self._days,
                        self._quota_bytes,
                        cluster=self._cluster,
                        stop=self._stop_asked.is_set,
                    )
                    self._tell(client, gone)
                finally:
                    client.close()
            except (UserError, ClickHouseError, OSError) as error:
                log.info("retention waits for the store: %s", str(error).partition("\n")[0])
            except Exception:
                log.exception("retention failed; it is tried again")

    def _tell(self, client: Client, gone: list[Piece]) -> None:
        for piece in gone:
            name = lanes.NAMES[piece.lane]
            log.info("forgot %s of %s: %d events (%s)", name, piece.day, piece.events, piece.reason)
        if self._quota_bytes and size(client, self._database)[1] > self._quota_bytes:
            log.warning("the store is above its quota with the present day alone")
