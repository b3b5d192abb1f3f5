"""A ceiling for the memory of the process: near it the engine leaves out work, in a stated order, before the
system ends the process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from sensor.cli.language import say

LEVELS: tuple[tuple[str, str], ...] = (
    ("nothing", "không bỏ gì"),
    ("what large flows still bring", "phần còn lại của các luồng lớn"),
    ("large flows, and parsing of new flows", "các luồng lớn, và việc phân tích luồng mới"),
    (
        "large flows, parsing, and packets of new flows",
        "các luồng lớn, việc phân tích, và gói của luồng mới",
    ),
)
"""What is left out, by level."""

THRESHOLDS = (0.85, 0.92, 0.97)
"""Shares of the ceiling at which levels 1, 2 and 3 begin."""
RELIEF = 0.05
"""A level ends so far below its beginning, so that it does not come and go."""
PATIENCE_SECONDS = 3.0
"""Before the next level: what the one before brings shows after a while."""
DEFAULT_SHARE = 0.9
"""Of what the machine, or the control group, has."""
_STATM = Path("/proc/self/statm")
_GROUPS = Path("/proc/self/cgroup")
_GROUP_ROOT = Path("/sys/fs/cgroup")


class Engine(Protocol):
    """What leaves out (sensor._engine.Live)."""

    def shed_at(self, level: int) -> None: ...


def resident_bytes() -> int:
    """Memory of this process; 0 when the system does not tell."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def available_bytes() -> int:
    """What the machine has, or the control group may use (cgroup v2, memory.max) where that is less."""
    least = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        own = next(line[3:] for line in _GROUPS.read_text().splitlines() if line.startswith("0::"))
        group = _GROUP_ROOT / own.strip("/")
        for folder in (group, *group.parents):
            limit = folder / "memory.max"
            if limit.exists() and (text := limit.read_text().strip()).isdigit():
                least = min(least, int(text))
            if folder == _GROUP_ROOT:
                break
    except (OSError, StopIteration):
        pass
    return least


class Ceiling:
    """Looks at each tick. limit_bytes: 0 for none."""

    def __init__(
        self,
        engine: Engine,
        limit_bytes: int,
        tell: Callable[[str], None],
        measure: Callable[[], int] = resident_bytes,
        give_back: Callable[[], None] = lambda: None,
    ) -> None:
        """give_back: has the allocators return what nothing is in, for as long as memory is short."""
        self.level = 0
        self.used_bytes = 0
        self.limit_bytes = limit_bytes
        self._engine, self._tell, self._measure, self._give_back = engine, tell, measure, give_back
        self._changed_at = float("-inf")

    def look(self) -> None:
        """Measure, and leave out more or less."""
        self.used_bytes = self._measure()
        if not self.limit_bytes:
            return
        level = self._wanted(self.used_bytes / self.limit_bytes)
        now = time.monotonic()
        if (level or self.level) and now - self._changed_at >= PATIENCE_SECONDS:
            self._give_back()
            self.used_bytes = self._measure()
            level = self._wanted(self.used_bytes / self.limit_bytes)
        if level == self.level or (level > self.level and now - self._changed_at < PATIENCE_SECONDS):
            return
        self.level += 1 if level > self.level else -1  # one after the other: the first may be enough
        self._changed_at = now
        self._engine.shed_at(self.level)
        mib, limit = self.used_bytes >> 20, self.limit_bytes >> 20
        what = say(*LEVELS[self.level])
        self._tell(
            say(
                f"memory: {mib} MiB of at most {limit} MiB (haidang.memory.limit): left out: {what}",
                f"bộ nhớ: {mib} MiB trên tối đa {limit} MiB (haidang.memory.limit): bỏ: {what}",
            )
        )

    def counters(self) -> Mapping[str, int]:
        """For the stats event."""
        return {
            "haidang.memory.used": self.used_bytes,
            "haidang.memory.limit": self.limit_bytes,
            "haidang.shed.level": self.level,
        }

    def _wanted(self, share: float) -> int:
        level = sum(share >= threshold for threshold in THRESHOLDS)
        if level < self.level and share >= THRESHOLDS[self.level - 1] - RELIEF:
            return self.level
        return level
