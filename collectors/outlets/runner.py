"""Journal > format > carrier > cursor: one thread an outlet, so that a dead one holds up no other."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from collectors.journal import Journal
from collectors.outlets.carriers import Carrier, Message, NotTaken, open_carrier, render
from collectors.outlets.item import Item, items
from collectors.outlets.places import Places
from collectors.outlets.settings import Outlet
from sensor.bus import lanes
from sensor.bus.records import DamagedRecord, Record
from sensor.bus.seal import Opener, SealError
from sensor.errors import UserError, one_line

log = logging.getLogger("haidang.outlet")

CONFIRM_EVENTS = 5_000
CONFIRM_SECONDS = 5.0  # an event is certain to have arrived this late, on a connection that works
_READ_RECORDS = 64
_NOTED_RECORDS = 1000
_IDLE_SECONDS = 0.25
_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 60.0
_ERROR_CHARACTERS = 500


class Runner(threading.Thread):
    """Carries one outlet's events until `stop`."""

    def __init__(self, outlet: Outlet, journal: Journal, opener: Opener, home: Path) -> None:
        super().__init__(name=f"outlet-{outlet.name}", daemon=True)
        self._outlet = outlet
        self._journal = journal
        self._places = Places(journal)
        self._opener = opener
        self._home = home
        self._lanes = {lanes.of_type(kind) for kind in outlet.types} or set(range(lanes.COUNT))
        self._stop_asked = threading.Event()
        self._carrier: Carrier | None = None
        self._read = 0  # records up to this one were looked at
        self._noted = 0  # of them, durably
        self._unconfirmed = 0  # events
        self._first_unconfirmed = 0.0
        self._wait_seconds = 0.0
        self._is_failing = False

    def stop(self) -> None:
        self._stop_asked.set()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                self._carry()
            except (OSError, NotTaken, UserError, ModuleNotFoundError) as error:
                self._fail(error)
            except Exception as error:
                log.exception("outlet %s failed; it is tried again", self._outlet.name)
                self._fail(error)
            finally:
                self._drop_carrier()

    def _carry(self) -> None:
        """From the durable cursor on, until something goes wrong or the end is asked for."""
        self._read = self._noted = self._places.of(self._outlet.name).upto
        self._unconfirmed = 0
        while not self._stop_asked.is_set():
            records = self._next_records()
            messages: list[Message] = []
            for record in records:
                messages += self._messages(record)
            if messages:
                self._send(messages)
            if records:
                self._read = records[-1].id
            self._confirm_when_due(is_idle=not records)
            if not records:
                self._stop_asked.wait(_IDLE_SECONDS)
        if self._unconfirmed:
            self._confirm()

    def _send(self, messages: Sequence[Message]) -> None:
        if self._carrier is None:
            self._carrier = open_carrier(self._outlet, self._home)
        if not self._unconfirmed:
            self._first_unconfirmed = time.monotonic()
        self._carrier.send(messages)
        self._unconfirmed += len(messages)

    def _confirm_when_due(self, *, is_idle: bool) -> None:
        if not self._unconfirmed:
            # What was none of its needs no confirmation; one write for many records.
            if self._read > self._noted and (is_idle or self._read - self._noted >= _NOTED_RECORDS):
                self._places.advance(self._outlet.name, self._read, 0)
                self._noted = self._read
            return
        late = time.monotonic() >= self._first_unconfirmed + CONFIRM_SECONDS
        if late or self._unconfirmed >= CONFIRM_EVENTS:
            self._confirm()

    def _confirm(self) -> None:
        if self._carrier is not None:
            self._carrier.confirm()
            self._drop_carrier()
        self._places.advance(self._outlet.name, self._read, self._unconfirmed)
        self._noted = self._read
        self._unconfirmed = 0
        self._wait_seconds = 0.0
        if self._is_failing:
            self._is_failing = False
            log.info("outlet %s takes events again", self._outlet.name)

    def _fail(self, error: Exception) -> None:
        text = one_line(str(error) or type(error).__name__)[:_ERROR_CHARACTERS]
        if not self._is_failing:  # who fails for days is in the metrics and needs no line a minute
            self._is_failing = True
            log.warning("outlet %s: %s", self._outlet.name, text)
        self._places.fail(self._outlet.name, text)
        self._wait_seconds = min(max(self._wait_seconds * 2, _FIRST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)
        asked = min(getattr(error, "retry_after_seconds", 0.0), _LONGEST_WAIT_SECONDS)
        # Many outlets of one receiver must not come back in step.
        self._stop_asked.wait(max(asked, self._wait_seconds * random.uniform(0.7, 1.0)))  # noqa: S311

    def _drop_carrier(self) -> None:
        if self._carrier is not None:
            self._carrier.close()
            self._carrier = None

    def _next_records(self) -> list[Record]:
        records: list[Record] = []
        first = self._journal.first_after(self._read)
        if first is None:
            return records
        self._read = first - 1  # those in between were dropped
        try:
            for record in self._journal.read(self._read, self._read + _READ_RECORDS):
                records.append(record)
        except DamagedRecord as error:
            if not records:
                log.error("outlet %s: the journal is damaged: %s", self._outlet.name, error)
                self._read = error.record
        return records

    def _messages(self, record: Record) -> list[Message]:
        if record.lane not in self._lanes:
            return []
        try:
            _, ndjson = self._opener.read(record.sealed)
        except SealError as error:
            log.error("outlet %s: record %d cannot be opened: %s", self._outlet.name, record.id, error)
            return []
        return [render(self._outlet, item) for item in items(record, ndjson) if self._wants(item)]

    def _wants(self, item: Item) -> bool:
        if self._outlet.types and item.event_type not in self._outlet.types:
            return False
        return item.severity is None or item.severity <= self._outlet.max_severity
