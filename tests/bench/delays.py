"""Where the time goes between an alert and the query that finds it: for `bus.py`."""

from __future__ import annotations

import os
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from clickhouse_connect.driver.exceptions import ClickHouseError
from house import House
from piped import cpu_seconds

from collectors.store.client import connect_embedded
from sensor.bus import lanes

LOOK_SECONDS = 0.05
_CURSOR_SECONDS = 0.01


class Given(NamedTuple):
    """One batch of alerts of a sensor, in seconds of the monotonic clock: when its alerts came to be, when
    their interval was over, and when the sender had done its part (spooled, or handed to the socket).
    """

    made: list[float]
    due: float
    sent: float


class Watch(threading.Thread):
    """Notes when alerts become searchable: the highest flow_id of every sensor's alerts, as a query finds
    them; alert n of a sensor has flow_id n + 1.
    """

    def __init__(self, house: House) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, dict[str, int]]] = []
        self.stop = threading.Event()
        self._client = connect_embedded(house.centre_directory / "run" / "store.json", patience_seconds=30)
        self._journal = house.centre_directory / "journal.sqlite"
        self._cursor = _Cursor(self._journal, self.stop)

    def run(self) -> None:
        self._cursor.start()
        query = "SELECT sensor, max(flow_id) FROM haidang.events WHERE event_type = 'alert' GROUP BY sensor"
        while not self.stop.wait(LOOK_SECONDS):
            try:
                rows = self._client.query(query).result_rows
            except ClickHouseError:  # the store has ended: so has the run, well or ill
                return
            self.seen.append((time.monotonic(), {str(name): int(highest) for name, highest in rows}))

    def wait_for(self, everything: Callable[[dict[str, int]], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not (self.seen and everything(self.seen[-1][1])):
            assert time.monotonic() < deadline, "not everything became searchable"
            time.sleep(LOOK_SECONDS)
        self.stop.set()
        self.join(20)
        self._cursor.join(20)

    def stages(self, batches: dict[str, list[Given]]) -> dict[str, Any]:
        """Of all alerts of these sensors, given in the order of their batches: the delay, and its stages."""
        with closing(sqlite3.connect(self._journal, timeout=20)) as journal:
            rows = journal.execute(
                "SELECT sensor, seq, id, added_us FROM record WHERE lane = ?", (lanes.ALERT,)
            ).fetchall()
        offset = time.time() - time.monotonic()
        kept = {(sensor, seq): (number, added_us / 1e6 - offset) for sensor, seq, number, added_us in rows}
        times: dict[str, list[float]] = {name: [] for name in _STAGES}
        whole: list[float] = []
        for name, given in batches.items():
            count = at = 0
            for seq, batch in enumerate(given):
                number, durable = kept[name, seq]
                inserted = self._cursor.passed(number)
                count += len(batch.made)
                while at < len(self.seen) and self.seen[at][1].get(name, 0) < count:
                    at += 1
                assert at < len(self.seen), f"alert {count} of {name} was never found"
                found = self.seen[at][0]
                inserted = min(max(inserted, durable), found)  # a question may find what is not noted yet
                ends = (batch.due, batch.sent, durable, inserted, found)
                for made in batch.made:
                    begin = made
                    for stage, end in zip(_STAGES, ends, strict=True):
                        times[stage].append(end - begin)
                        begin = end
                    whole.append(found - made)
        return {**summary(whole), "stages_ms": {stage: _brief(taken) for stage, taken in times.items()}}


_STAGES = ("interval", "sender", "bus and journal", "store", "question")


class _Cursor(threading.Thread):
    """When which record of the journal was noted as being in the store."""

    def __init__(self, journal: Path, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._journal = journal
        self._stop_asked = stop
        self._noted: list[tuple[float, int]] = []

    def run(self) -> None:
        with closing(sqlite3.connect(f"file:{self._journal}?mode=ro", uri=True, timeout=20)) as journal:
            while not self._stop_asked.wait(_CURSOR_SECONDS):
                upto = int(journal.execute("SELECT upto FROM filled").fetchone()[0])
                if not self._noted or self._noted[-1][1] != upto:
                    self._noted.append((time.monotonic(), upto))

    def passed(self, number: int) -> float:
        return next((moment for moment, upto in self._noted if upto >= number), float("inf"))


class Costs:
    """CPU seconds of the load, of the centre and of its store since this was made."""

    def __init__(self, house: House) -> None:
        assert house.centre is not None
        self._began = time.monotonic()
        self._processes = {"load": os.getpid(), "centre": house.centre.pid, "store": house.store_process_id()}
        self._before = {name: cpu_seconds(process) for name, process in self._processes.items()}

    def told(self) -> dict[str, float]:
        found = {
            name: round(cpu_seconds(process) - self._before[name], 2)
            for name, process in self._processes.items()
        }
        return {**found, "elapsed": round(time.monotonic() - self._began, 2)}


def summary(delays: Sequence[float]) -> dict[str, Any]:
    ordered = sorted(delays)
    return {
        "alerts": len(ordered),
        "p50_ms": round(statistics.median(ordered) * 1e3),
        "p99_ms": _p99_ms(ordered),
        "max_ms": round(ordered[-1] * 1e3),
    }


def _brief(taken: list[float]) -> dict[str, int]:
    ordered = sorted(taken)
    return {"p50": round(statistics.median(ordered) * 1e3), "p99": _p99_ms(ordered)}


def _p99_ms(ordered: Sequence[float]) -> int:
    return round(ordered[int(len(ordered) * 0.99)] * 1e3)
