"""What the benchmark found, and what follows from it: costs per packet, ratios. No text, no running."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from runs import Run, Spread

# Our stages in the order of the line, as the counters `haidang.stage_ns.…` are called.
STAGES = ("capture", "decode", "flow", "stream", "app", "prefilter", "evaluation", "event")
STAGE_COUNTER = "haidang.stage_ns."
FLOOR = ("read", "decode", "scan")


@dataclass
class Sensor:
    """A sensor and its runs, one of each kind a pair."""

    name: str
    command: str
    packets: int  # of the capture
    cold: list[Run] = field(default_factory=list)  # one frame, nothing cached; empty when it has no cache
    start: list[Run] = field(default_factory=list)  # one frame
    full: list[Run] = field(default_factory=list)  # the capture
    events: Counter[str] = field(default_factory=Counter)  # of the last run, by type

    @property
    def packet_seconds(self) -> list[float]:
        """CPU seconds of the packets alone, pair by pair."""
        return [
            full.cpu_seconds - start.cpu_seconds for full, start in zip(self.full, self.start, strict=True)
        ]

    @property
    def us_per_packet(self) -> Spread:
        return Spread.of([seconds * 1e6 / self.packets for seconds in self.packet_seconds])

    @property
    def packets_per_second(self) -> float | None:
        """Packets per CPU second, by the median; None when they cost less than could be measured."""
        cost = self.us_per_packet.median
        return 1e6 / cost if cost > 0 else None

    @property
    def peak_bytes(self) -> Spread:
        return Spread.of([run.peak_bytes for run in self.full])

    def start_wall(self, *, cold: bool) -> Spread:
        """Wall seconds from nothing to the end of a capture with one frame."""
        return Spread.of([run.wall_seconds for run in (cold and self.cold) or self.start])

    def start_cpu(self, *, cold: bool) -> Spread:
        """CPU seconds of the same."""
        return Spread.of([run.cpu_seconds for run in (cold and self.cold) or self.start])

    @property
    def is_too_short(self) -> bool:
        """Whether the packets cost no more than start-up varies by: the figures then say nothing."""
        starts = [run.cpu_seconds for run in self.start]
        return min(self.packet_seconds) < 5 * (max(starts) - min(starts)) or min(self.packet_seconds) <= 0


@dataclass
class Ratio:
    """One figure of ours against theirs, so written that more than 1 is in our favour."""

    name: str
    spread: Spread


def ratios(ours: Sensor, theirs: Sensor) -> list[Ratio]:
    """Pair by pair, as a machine that slows down slows both."""

    def of(name: str, mine: list[float], others: list[float]) -> Ratio:
        pairs = [other / max(own, 1e-9) for own, other in zip(mine, others, strict=True)]
        return Ratio(name, Spread.of(pairs))

    cold = ours.cold or ours.start
    return [
        of("packets per CPU second", ours.packet_seconds, theirs.packet_seconds),
        of("start-up, cold, wall", *([r.wall_seconds for r in runs] for runs in (cold, theirs.start))),
        of("start-up, warm, wall", *([r.wall_seconds for r in s.start] for s in (ours, theirs))),
        of("peak memory", *([float(r.peak_bytes) for r in s.full] for s in (ours, theirs))),
    ]


@dataclass
class Stages:
    """CPU time of our stages and of the floor, in ns per packet, medians of several passes in one process.

    No output is written: batches of events are dropped.
    """

    packets: int
    stages: dict[str, float]
    timed_total: float  # the replay with the stages timed, all its threads
    plain_total: float  # the replay without
    floor: dict[str, float]  # read; read and decode; read, decode and scan
    narrowed: float  # the same as the last, with the databases of the line
    scanned_bytes: int
    scans: int

    @property
    def outside(self) -> float:
        """What no stage accounts for: reading the clock, and the thread that fetches the batches."""
        return self.timed_total - sum(self.stages.values())

    @property
    def floor_steps(self) -> dict[str, float]:
        """What each part of the floor adds."""
        values = [0.0, *(self.floor[name] for name in FLOOR)]
        return {name: after - before for name, before, after in zip(FLOOR, values, values[1:], strict=False)}

    @property
    def times_floor(self) -> float | None:
        """The replay without timing by the whole floor; None when that took less than could be measured."""
        return self.plain_total / self.floor["scan"] if self.floor["scan"] > 0 else None

    @property
    def times_narrowed(self) -> float | None:
        """The same by the floor with the databases of the line."""
        return self.plain_total / self.narrowed if self.narrowed > 0 else None
