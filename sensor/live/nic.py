"""What the card counts, from sysfs (Linux, Documentation/ABI/testing/sysfs-class-net-statistics)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_CLASS = Path("/sys/class/net")
UNCLAIMED = "rx_dropped"
"""The kernel counts here what the driver gave up, and what no protocol of this machine took."""
LOSSES = (UNCLAIMED, "rx_missed_errors", "rx_fifo_errors", "rx_over_errors", "rx_errors")
"""Counters of frames that came and were not handed on. Drivers fill them as they like: they are told, not
added up.
"""


@dataclass(frozen=True, slots=True)
class NicCounts:
    """Packets received, and losses by the name of their counter."""

    packets: int
    losses: dict[str, int]

    def since(self, before: NicCounts) -> NicCounts:
        """What was added; a counter that was reset counts from 0."""
        return NicCounts(
            _added(self.packets, before.packets),
            {name: _added(value, before.losses.get(name, 0)) for name, value in self.losses.items()},
        )


def read_counts(interface: str, root: Path = _CLASS) -> NicCounts | None:
    """The interface's counters; None when the system shows none."""
    folder = root / interface / "statistics"
    try:
        packets = int((folder / "rx_packets").read_text())
    except (OSError, ValueError):
        return None
    losses = {}
    for name in LOSSES:
        try:
            losses[name] = int((folder / name).read_text())
        except (OSError, ValueError):
            continue
    return NicCounts(packets, losses)


def _added(now: int, before: int) -> int:
    return now - before if now >= before else now
