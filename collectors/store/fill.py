"""Journal > store: opens verified batches and inserts their events, each once, whatever is killed and when.

Two independent means make it once: a group of batches is named in the journal (its intent) before it is
inserted under a token that the store remembers; and after any failure the store is asked which rows of the
intended group it holds, and only the others are inserted.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from collectors.entries import Measured
from collectors.handover import Handover
from collectors.journal import Journal
from collectors.quality.facts import Facts, begin_of
from collectors.store import migrate, schema
from collectors.store.client import StoreAddress, connect, embedded_address
from collectors.store.schema import Cluster
from sensor.bus.records import DamagedRecord, Record
from sensor.bus.seal import Opener, SealError
from sensor.errors import UserError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

log = logging.getLogger("haidang.fill")

GROUP_EVENTS = 20_000  # inserts of 10,000 and more cost the store least per row (docs/spec/bus.md, "Store")
GROUP_BYTES = 8 * 1024 * 1024  # sealed, so some 40 MB of text
_PAUSE_SECONDS = 0.1  # at most, after a small group: lets the next one grow
_LEAST_PAUSE_SECONDS = 0.05  # in between as long as the insert took: a quick store is asked more often
_SMALL_BATCHES = 20
_IDLE_SECONDS = 0.5  # without a new batch; what an import beside the centre brings waits for it
_RETRY_SECONDS = 1.0
_PRUNE_SECONDS = 30.0  # it reads the sizes of all records
_TABS_TO_SPACES = bytes.maketrans(b"\t\r", b"  ")

Identity = tuple[str, int, int, int, int]
"""sensor, epoch, lane, seq, row."""


class Filler(threading.Thread):
    """Fills the store until `stop`."""

    def __init__(
        self,
        journal: Journal,
        opener: Opener,
        database: str,
        *,
        address: StoreAddress | None,
        endpoint: Path,
        keep_bytes: int,
        outlet_bytes: int = 0,
        handover: Handover | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        super().__init__(name="store-filler", daemon=True)
        self._journal = journal
        self._opener = opener
        self._database = database
        self._cluster = cluster
        self._address = address
        self._endpoint = endpoint
        self._keep_bytes = keep_bytes
        self._outlet_bytes = outlet_bytes
        self._handover = handover or Handover()
        self._stop_asked = threading.Event()
        self._prune_due = 0.0
        self.filled_events = 0
        self.damaged = 0
        self.failures = 0

    def stop(self) -> None:
        self._stop_asked.set()

    def run(self) -> None:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        while not self._stop_asked.is_set():
            if self._address is None and not self._endpoint.exists():
                self._stop_asked.wait(_LEAST_PAUSE_SECONDS)  # the store daemon is starting
                continue
            try:
                client = connect(self._address or embedded_address(self._endpoint))
                migrate.bring_up(client, self._database, self._cluster)
                self._fill(client)
            except (UserError, ClickHouseError, OSError) as error:
                self.failures += 1
                log.info("the store is not there: %s", str(error).partition("\n")[0])
                self._stop_asked.wait(_RETRY_SECONDS)
            except Exception:
                self.failures += 1
                log.exception("filling failed; it is tried again")
                self._stop_asked.wait(_RETRY_SECONDS)

    def _fill(self, client: Client) -> None:
        while not self._stop_asked.is_set():
            upto, intent = self._journal.intent()
            if intent is not None:
                self._insert(client, upto, intent, self._held(client, upto, intent))
                continue
            group = self._journal.next_group(upto, max_events=GROUP_EVENTS, max_bytes=GROUP_BYTES)
            if not group:
                self._prune()
                self._journal.wait(_IDLE_SECONDS)
                continue
            self._journal.set_intent(group[-1])
            began = time.monotonic()
            self._insert(client, upto, group[-1], set())
            if len(group) < _SMALL_BATCHES:
                took = time.monotonic() - began
                self._stop_asked.wait(min(_PAUSE_SECONDS, max(_LEAST_PAUSE_SECONDS, took)))

    def _prune(self) -> None:
        if time.monotonic() < self._prune_due:
            return
        self._prune_due = time.monotonic() + _PRUNE_SECONDS
        while self._journal.prune(self._keep_bytes, self._outlet_bytes):
            pass

    def _insert(self, client: Client, upto: int, last: int, held: set[Identity]) -> None:
        """Insert the group upto+1..last without the rows in `held`, and note it as filled."""
        rows: list[bytes] = []
        received: dict[tuple[str, int], int] = {}  # the first of each sensor and interval
        for record in self._records(upto, last):
            rows += self._rows(record, held)
            received.setdefault((record.sensor, begin_of(record.added_us)), record.added_us)
        if rows:
            data = b"".join(rows)
            token = f"{upto}-{last}-{len(held)}-{hashlib.sha256(data).hexdigest()[:32]}"
            client.raw_insert(
                f"{self._database}.inbox",
                schema.INBOX_COLUMNS,
                data,
                settings={**schema.insert_settings(), "insert_deduplication_token": token},
                fmt="TSVRaw",
            )
        now_us = time.time_ns() // 1000
        self._journal.set_filled(
            last,
            [
                Measured(sensor, begin, Facts(store_lag_us=max(0, now_us - first_us)))
                for (sensor, begin), first_us in received.items()
            ],
        )
        self.filled_events += len(rows)

    def _rows(self, record: Record, held: set[Identity]) -> list[bytes]:
        ndjson = self._handover.take(record.sealed)
        if ndjson is None:
            try:
                _, ndjson = self._opener.read(record.sealed)
            except SealError as error:
                self._note_damage(f"record {record.id} of {record.sensor}: {error}")
                return []
        # Between JSON tokens these are white space, inside strings they cannot stand: nothing changes by the
        # exchange.
        lines = ndjson.translate(_TABS_TO_SPACES).split(b"\n")[:-1]
        head = f"{record.sensor}\t{record.epoch}\t{record.lane}\t{record.seq}\t{record.added_us}\t".encode()
        if not held:
            return [b"%b%d\t%b\n" % (head, row, line) for row, line in enumerate(lines)]
        batch = (record.sensor, record.epoch, record.lane, record.seq)
        return [
            b"%b%d\t%b\n" % (head, row, line) for row, line in enumerate(lines) if (*batch, row) not in held
        ]

    def _held(self, client: Client, upto: int, last: int) -> set[Identity]:
        """The rows of this group that an insert before a crash got into the store."""
        times = [record.added_us for record in self._records(upto, last)]
        if not times:
            return set()
        answer = client.query(
            f"SELECT sensor, epoch, lane, seq, row FROM {self._database}.events "
            "WHERE received >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') "
            "AND received <= fromUnixTimestamp64Micro({last:Int64}, 'UTC')",
            parameters={"first": min(times), "last": max(times)},
        )
        held = {(str(row[0]), *row[1:]) for row in answer.result_rows}
        log.info(
            "after an interruption %d rows of the group %d..%d were in the store", len(held), upto + 1, last
        )
        return held

    def _records(self, upto: int, last: int) -> Iterator[Record]:
        while upto < last:
            try:
                for record in self._journal.read(upto, last):
                    upto = record.id
                    yield record
                return
            except DamagedRecord as error:
                self._note_damage(str(error))
                upto = error.record

    def _note_damage(self, text: str) -> None:
        self.damaged += 1
        log.error("the journal is damaged: %s; its events are not in the store", text)
