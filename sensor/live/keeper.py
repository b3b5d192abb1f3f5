"""Keeps the books of a live capture: a look at each interval, told to whoever asks, with every loss and every
imbalance said once, when it appears.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sensor.live import ledger
from sensor.live.capture import LiveCapture
from sensor.live.ledger import Loss, Page
from sensor.live.nic import LOSSES, NicCounts, read_counts

if TYPE_CHECKING:
    from sensor.bus.spool import Spool

RECENT_SECONDS = 3600.0
MAX_RECENT = 100
QUIET_SECONDS = 60.0
"""A loss at the same place is told again after so long."""


class Keeper:
    """The books since the capture began. `look` is called at each tick, in the capture's own thread."""

    def __init__(
        self,
        capture: LiveCapture,
        interfaces: Sequence[str],
        *,
        seconds: float,
        warn: Callable[[str], None],
        spool: Spool | None = None,
    ) -> None:
        self.page: Page | None = None
        self.recent: list[tuple[float, Loss]] = []
        self.spool = spool
        self.more: list[Callable[[], Mapping[str, int]]] = []
        self._capture = capture
        self._interfaces = interfaces
        self._seconds = seconds
        self._warn = warn
        self._due = 0.0
        self._nics_before: dict[str, NicCounts] = {}
        self._told: set[str] = set()
        self._warned: dict[str, float] = {}

    def begin(self) -> None:
        """The card has counted before we came: from now on."""
        for name in self._interfaces:
            counts = read_counts(name)
            if counts is not None:
                self._nics_before[name] = counts
        self._due = time.monotonic() + self._seconds

    def look(self, *, is_final: bool = False) -> None:
        """Look at the books when it is time."""
        now = time.monotonic()
        if not is_final and now < self._due:
            return
        self._due = now + self._seconds
        live = self._capture.live
        counters = dict(live.counters())
        for more in self.more:
            counters.update(more())
        page = Page(counters, live.rings(), live.left_out(), self._nics(), is_final)
        ledger.examine(page, self.page)
        page.imbalances += [
            f"{name}: the interface is gone and nothing is captured there: restart when it is back"
            for name in self._nics_before
            if name not in page.nics
        ]
        for text in page.imbalances:
            if text not in self._told:
                self._told.add(text)
                self._warn(f"the books do not close: {text}")
        for loss in page.losses:
            # What goes on is in the status and the metrics; nobody reads the same line every few seconds.
            if now - self._warned.get(loss.where, -QUIET_SECONDS) >= QUIET_SECONDS:
                self._warned[loss.where] = now
                self._warn(str(loss))
        told_at = time.time()
        kept = [(at, loss) for at, loss in self.recent if told_at - at < RECENT_SECONDS]
        self.recent = [*kept, *((told_at, loss) for loss in page.losses)][-MAX_RECENT:]
        self.page = page

    @property
    def has_lost(self) -> bool:
        """Packets or events were lost, or the books do not close."""
        page = self.page
        if page is None:
            return False
        names = (
            "capture.kernel_drops",
            "haidang.event_queue.lost_logs",
            "haidang.event_queue.lost_others",
            "haidang.logs.lost_lines",
            "haidang.shed.dropped_packets",
        )
        return bool(page.imbalances) or any(page.counters.get(name, 0) for name in names)

    def counters(self) -> Mapping[str, int]:
        """What the stats event tells beside the engine's counters."""
        more: dict[str, int] = {}
        for counts in self._nics().values():
            more["haidang.nic.rx_packets"] = more.get("haidang.nic.rx_packets", 0) + counts.packets
            for name in LOSSES:
                full = f"haidang.nic.{name}"
                more[full] = more.get(full, 0) + counts.losses.get(name, 0)
        if self.spool is not None:
            books = self.spool.books()
            more["haidang.spool.made"] = sum(book.made for book in books)
            more["haidang.spool.delivered"] = sum(book.delivered for book in books)
            more["haidang.spool.pending"] = sum(book.pending for book in books)
            more["haidang.spool.lost"] = sum(sum(book.lost.values()) for book in books)
        more["haidang.ledger.imbalances"] = len(self.page.imbalances) if self.page else 0
        for counters in self.more:
            more.update(counters())
        return more

    def packets(self) -> Mapping[str, int]:
        """Packets past the kernel's filter, by interface."""
        found = dict.fromkeys(self._interfaces, 0)
        for ring in self._capture.live.rings():
            found[ring.interface] = found.get(ring.interface, 0) + ring.kernel_packets
        return found

    def _nics(self) -> dict[str, NicCounts]:
        found = {}
        for name, before in self._nics_before.items():
            now = read_counts(name)
            if now is not None:
                found[name] = now.since(before)
        return found
