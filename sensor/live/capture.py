"""A live capture as a source of events: it goes on until it is asked to stop, and asks for a stats event at
each interval.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from sensor.config import Config

if TYPE_CHECKING:
    from sensor._engine import Batch, Live, Ruleset
    from sensor.live.heartbeat import Heart

_WAIT_SECONDS = 0.1
TICK_SECONDS = 1.0  # workers tell their counters as often


class LiveCapture:
    """What `sensor.run` reads. `begin` must have been called before `batches`.

    Opening needs privileges; they can be dropped between making it and `begin`.
    """

    identity = ""  # nobody can read it again

    def __init__(self, config: Config, ruleset: Ruleset) -> None:
        from sensor._engine import Live

        self.live: Live = Live(config.engine_json(), ruleset)
        self.warnings: list[str] = []
        self.what = "live"
        self.on_tick: list[Callable[[], None]] = []
        self.more_counters: Callable[[], Mapping[str, int]] = dict
        self.begun_at = 0.0
        self.heart: Heart | None = None
        interval = config.get("stats.interval")
        self._stats_seconds = float(interval) if isinstance(interval, int) and interval > 0 else 8.0
        self._stopping = threading.Event()

    def begin(self) -> None:
        """Let packets in."""
        self.live.begin()
        self.begun_at = time.monotonic()

    def stop(self) -> None:
        """Ask it to end: all that was captured still goes through. Safe in a signal handler."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def batches(self) -> Iterator[Batch | None]:
        """Every batch until the end; None now and then."""
        is_stopped = False
        tick_due = time.monotonic() + TICK_SECONDS
        stats_due = time.monotonic() + self._stats_seconds
        try:
            while not self.live.finished:
                batch = self.live.next_batch(_WAIT_SECONDS)
                now = time.monotonic()
                if now >= tick_due:
                    tick_due = now + TICK_SECONDS
                    self._tick()
                if now >= stats_due:
                    stats_due = now + self._stats_seconds
                    self.live.write_stats(dict(self.more_counters()))
                if self._stopping.is_set() and not is_stopped:
                    is_stopped = True
                    self.live.write_stats(dict(self.more_counters()))
                    self.live.stop()
                if self.heart is not None and batch is not None:
                    self.heart.batch(batch)
                yield batch
                if self.heart is not None:
                    self.heart.spooled()
        finally:
            self.live.stop()
            self._tick()

    def _tick(self) -> None:
        self.warnings += self.live.take_warnings()
        for told in self.on_tick:
            told()
