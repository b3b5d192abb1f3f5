"""Closes the intervals: asks the store what came of the events, judges, and keeps the words in the store.

An interval is closed when it is over and all that was received in it is in the store, so what is said of it
once is not changed later.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from collectors.entries import Measured
from collectors.journal import Journal
from collectors.quality.facts import BROUGHT_SECONDS, INTERVAL_SECONDS, KEEP_SECONDS, Facts, merge
from collectors.quality.ledger import Ledger
from collectors.quality.words import NAMES, clock_error_us, judge, packet_lag_us
from collectors.registry import Registry
from collectors.store import migrate
from collectors.store.schema import Cluster
from sensor.errors import UserError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

log = logging.getLogger("haidang.quality")

_LOOK_SECONDS = 2.0
_SETTLE_SECONDS = 10  # heartbeats are noted this late at most
_RETRY_SECONDS = 5.0
_STATS_BEFORE_SECONDS = 600  # where the counters stood before the interval, when it is not remembered
_MAX_STATS = 200_000
_EXPORTED = 500  # intervals a turn

_COUNTERS = (
    "Tuple(uptime UInt64, capture Tuple(kernel_packets UInt64, kernel_drops UInt64), "
    "haidang Tuple(event_queue Tuple(lost_logs UInt64, lost_others UInt64), "
    "ledger Tuple(imbalances UInt64)))"
)

Counters = tuple[int, int, int, int, int]
"""uptime in seconds, kernel packets, kernel drops, events lost before the spool, imbalances."""


class Examiner(threading.Thread):
    """Closes intervals until `stop`."""

    def __init__(
        self,
        journal: Journal,
        registry: Registry,
        database: str,
        open_client: Callable[[], Client],
        *,
        now: Callable[[], float] = time.time,
        cluster: Cluster | None = None,
    ) -> None:
        super().__init__(name="quality", daemon=True)
        self._journal = journal
        self._ledger = Ledger(journal)
        self._registry = registry
        self._database = database
        self._cluster = cluster
        self._open_client = open_client
        self._now = now
        # Sensors are not to blame for the time in which there was no centre.
        self._began = int(now())
        self._before: dict[str, Counters] = {}
        self._stop_asked = threading.Event()
        self.failures = 0

    def stop(self) -> None:
        self._stop_asked.set()

    def run(self) -> None:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        while not self._stop_asked.wait(_LOOK_SECONDS):
            if self._due() is None:
                continue
            try:
                client = self._open_client()
                try:
                    while not self._stop_asked.is_set() and self.close_next(client):
                        pass
                finally:
                    client.close()
            except (UserError, ClickHouseError, OSError) as error:
                self.failures += 1
                log.info("the intervals wait for the store: %s", str(error).partition("\n")[0])
                self._stop_asked.wait(_RETRY_SECONDS)
            except Exception:
                self.failures += 1
                log.exception("examining failed; it is tried again")
                self._stop_asked.wait(_RETRY_SECONDS)

    def close_next(self, client: Client) -> bool:
        """Close the oldest interval that can be; False when there is none."""
        begin = self._due()
        if begin is None:
            return False
        migrate.bring_up(client, self._database, self._cluster)
        end = begin + INTERVAL_SECONDS
        found = self._ask(client, begin, end)
        if begin >= self._began:
            for row in self._registry.sensors():
                if row.revoked is None and row.added <= begin:
                    found.setdefault(row.sensor, Facts())
            for sensor in self._ledger.brought(begin - BROUGHT_SECONDS):
                found.setdefault(sensor, Facts())
        held = {entry.sensor: entry.facts for entry in self._ledger.read(begin, end)}
        if found or held:
            # Stated first and closed then: killed in between it is stated again, and the store keeps one.
            both = {
                name: merge(held.get(name, Facts()), found.get(name, Facts())) for name in {*held, *found}
            }
            self._state(client, begin, both)
        self._ledger.close(begin, [Measured(name, begin, facts) for name, facts in found.items()])
        return True

    def _due(self) -> int | None:
        """The next interval to close, when it is over and in the store."""
        now = int(self._now())
        present = now - now % INTERVAL_SECONDS
        upto = self._ledger.upto()
        if upto > present:
            # Our clock was set back: counting must not stop until it has caught up.
            self._ledger.close(present - INTERVAL_SECONDS, [])
            upto = present
        oldest = self._ledger.first(upto)
        begins = [oldest] if oldest is not None else []
        begins.append(max(upto, self._began - self._began % INTERVAL_SECONDS))
        begin = max(min(begins), present - KEEP_SECONDS)
        end = begin + INTERVAL_SECONDS
        if now < end + _SETTLE_SECONDS:
            return None
        waiting = self._journal.oldest_unfilled_us()
        return None if waiting is not None and waiting < end * 1_000_000 else begin

    def _ask(self, client: Client, begin: int, end: int) -> dict[str, Facts]:
        found: dict[str, Facts] = {}
        counted = client.query(
            f"SELECT sensor, count(), countIf(event_type = '') FROM {self._database}.events WHERE "
            "received >= toDateTime64({begin:Int64}, 6, 'UTC') AND received < toDateTime64({end:Int64}, 6, "
            "'UTC') GROUP BY sensor",
            parameters={"begin": begin, "end": end},
        )
        for sensor, stored, invalid in counted.result_rows:
            found[sensor] = Facts(stored=stored, invalid=invalid)
        self._count_losses(client, begin, end, found)
        return found

    def _count_losses(self, client: Client, begin: int, end: int, found: dict[str, Facts]) -> None:
        """What the sensors' own counters grew by; they count from the sensor's start."""
        rows = client.query(
            f"SELECT sensor, received < toDateTime64({{begin:Int64}}, 6, 'UTC'), "
            f"JSONExtract(raw, 'stats', '{_COUNTERS}') AS told, told.uptime, told.capture.kernel_packets, "
            "told.capture.kernel_drops, told.haidang.event_queue.lost_logs + "
            "told.haidang.event_queue.lost_others, told.haidang.ledger.imbalances "
            f"FROM {self._database}.events "
            "WHERE event_type = 'stats' AND received >= toDateTime64({from:Int64}, 6, 'UTC') AND "
            "received < toDateTime64({end:Int64}, 6, 'UTC') ORDER BY sensor, received, epoch, seq, row "
            f"LIMIT {_MAX_STATS}",
            parameters={
                "from": begin if self._before else begin - _STATS_BEFORE_SECONDS,
                "begin": begin,
                "end": end,
            },
        ).result_rows
        for sensor, is_before, _, *told in rows:
            uptime, packets, drops, lost, imbalances = told
            counters = (uptime, packets, drops, lost, imbalances)
            if not is_before:
                _grow(found.setdefault(sensor, Facts()), self._before.get(sensor), counters)
            self._before[sensor] = counters

    def _state(self, client: Client, begin: int, facts: dict[str, Facts]) -> None:
        rows = [statement(name, begin, INTERVAL_SECONDS, entry) for name, entry in sorted(facts.items())]
        for start in range(0, len(rows), _EXPORTED):
            body = "".join(json.dumps(row) + "\n" for row in rows[start : start + _EXPORTED])
            client.raw_insert(f"{self._database}.quality", insert_block=body.encode(), fmt="JSONEachRow")


def statement(sensor: str, begin: int, seconds: int, facts: Facts) -> dict[str, Any]:
    """What is known of a sensor in one interval, as a row of the store's table and for programs."""
    quality = judge(facts, seconds * 1_000_000)
    return {
        "sensor": sensor,
        "begin": begin,
        "seconds": seconds,
        **{name: word.holds for name, word in zip(NAMES, quality, strict=True)},
        **{f"{name}_ratio": word.ratio for name, word in zip(NAMES, quality, strict=True)},
        "skew_us": facts.skew_us,
        "clock_error_us": clock_error_us(facts),
        "packet_lag_us": packet_lag_us(facts),
        "store_lag_us": facts.store_lag_us,
        "reasons": [english for word in quality for english, _ in word.reasons],
        "facts": msgspec.json.encode(facts).decode(),
    }


def _grow(facts: Facts, before: Counters | None, now: Counters) -> None:
    # Without an earlier word the counters may be days old: only a sensor that has just begun is counted.
    if before is None:
        before = (0, 0, 0, 0, 0) if now[0] <= INTERVAL_SECONDS else now
    elif now[0] < before[0] or now[1] < before[1]:
        before = (0, 0, 0, 0, 0)  # it began anew
    facts.kernel_packets += max(0, now[1] - before[1])
    facts.kernel_drops += max(0, now[2] - before[2])
    facts.queue_lost += max(0, now[3] - before[3])
    facts.imbalances = max(facts.imbalances, now[4])
