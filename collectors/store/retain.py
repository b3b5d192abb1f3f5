"""What the store forgets: by class (the lanes of the bus) after so many days, and beyond a quota the oldest
of the least.

A day of receipt and a class go as one. Days that lose everything are dropped; others are rewritten by the
engine in the background. The present day stays. Whatever goes is counted in the store's table `retired`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from collectors.store import migrate
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


def held(client: Client, database: str) -> list[Piece]:
    """What the store holds, oldest first."""
    parts = client.query(
        "SELECT partition, sum(bytes_on_disk) FROM system.parts WHERE active AND database = {db:String} "
        "AND table = 'events' GROUP BY partition",
        parameters={"db": database},
    ).result_rows
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
    stop: Callable[[], bool] = lambda: False,
) -> list[Piece]:
    """Delete what goes; returns it."""
    migrate.bring_up(client, database)
    today = today or datetime.now(UTC).date()
    pieces = held(client, database)
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
        partition = f"{day:%Y%m%d}"
        if chosen == there[day]:
            client.command(f"ALTER TABLE {database}.events DROP PARTITION ID '{partition}'")
        else:
            some = ", ".join(str(lane) for lane in sorted(chosen))
            client.command(
                f"ALTER TABLE {database}.events DELETE IN PARTITION ID '{partition}' WHERE lane IN ({some})"
            )
            _await_mutations(client, database, stop)
        for piece in parts:
            client.command(
                f"INSERT INTO {database}.retired SELECT toDate('{day.isoformat()}'), "
                f"'{lanes.NAMES[piece.lane]}', {piece.events}, '{piece.reason}', now()"
            )
        gone += parts
    return gone


def _await_mutations(client: Client, database: str, stop: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and not stop():
        waiting = client.query(
            "SELECT count() FROM system.mutations WHERE database = {db:String} AND table = 'events' AND "
            "NOT is_done",
            parameters={"db": database},
        ).result_rows[0][0]
        if not waiting:
            return
        time.sleep(_LOOK_SECONDS / 5)


def _date(number: int) -> date:
    return date(number // 10_000, number // 100 % 100, number % 100)


class Retainer(threading.Thread):
    """Does it every ten minutes until `stop`."""

    def __init__(
        self, open_client: Callable[[], Client], database: str, days: Mapping[str, int], quota_bytes: int
    ) -> None:
        super().__init__(name="retention", daemon=True)
        self._open_client = open_client
        self._database = database
        self._days = days
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
