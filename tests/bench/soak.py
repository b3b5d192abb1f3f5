"""Memory over a long replay at full speed: flat after the first minute, or not.

    python tests/bench/soak.py --pcap FILE|FOLDER… --rules FILE… [--seconds 600] [--out FOLDER]

One engine in one process reads an endless capture (laps.py): the given one again and again, without a pause,
packet time going on and the hosts changing from lap to lap, so that flows of several laps are alive at a
time, time out, and make room. The events are dropped. Memory is looked at every second.

After the first minute (--settle) memory must be flat:
- the slope (the median of the slopes between all pairs of samples) by the time measured, and
- the difference between the medians of the last and the first tenth of it
may each be at most 2 % of the median, but never less than 8 MiB, and
- no sample may be more than 10 % above the median.

The picture goes to soak.svg in --out, all figures to soak.json.
Exit code: 0 when memory is flat, 1 when it is not, 2 when something could not be run.
"""

from __future__ import annotations

import argparse
import itertools
import shlex
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import join
from chart import Box, Chart, lines
from laps import HEADER, Laps
from paired import CONFIGURATION, KEPT
from piped import Memory, Piped
from runs import RunError, are_there, environment, write_json

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

EXIT_GROWS, EXIT_CANNOT_RUN = 1, 2
SAMPLE_SECONDS = 1.0
SETTLE_SECONDS = 60.0
DRIFT_SHARE, DRIFT_BYTES = 0.02, 8 << 20
PEAK_SHARE = 0.10
SAMPLES_MIN = 20  # fewer tell nothing
MIB = 1 << 20


@dataclass
class Sample:
    """Memory at a moment, seconds after the first packet, and how many packets were handed over by then."""

    seconds: float
    memory: Memory
    packets: int


@dataclass
class Verdict:
    """Whether memory is flat, and by what figures (bytes, and bytes a second)."""

    settle_seconds: float
    median: float
    slope: float
    slope_by_time: float
    drift: float
    highest_above: float
    drift_limit: float
    peak_limit: float

    @property
    def faults(self) -> list[str]:
        """What is wrong; nothing when memory is flat."""
        found = []
        if self.slope_by_time > self.drift_limit:
            found.append(f"grows by {self.slope / 1024:.1f} KiB a second")
        if self.drift > self.drift_limit:
            found.append(f"is {self.drift / MIB:.1f} MiB higher at the end")
        if self.highest_above > self.peak_limit:
            found.append(f"is {self.highest_above / MIB:.1f} MiB above its median at worst")
        return found

    def told(self) -> str:
        """The figures and their limits, for people."""
        figures = [
            f"after {self.settle_seconds:.0f} s: median {self.median / MIB:.1f} MiB",
            f"slope {self.slope / 1024:+.2f} KiB/s, over the whole {self.slope_by_time / MIB:+.1f} MiB",
            f"last tenth by first {self.drift / MIB:+.1f} MiB (either at most {self.drift_limit / MIB:.1f})",
            f"highest {self.highest_above / MIB:+.1f} MiB (at most {self.peak_limit / MIB:.1f})",
        ]
        return "; ".join(figures)


def judge(samples: Sequence[tuple[float, float]], settle_seconds: float = SETTLE_SECONDS) -> Verdict:
    """The verdict on (seconds, bytes). Raises ValueError when there are too few after the first minute."""
    settled = [sample for sample in samples if sample[0] >= settle_seconds]
    if len(settled) < SAMPLES_MIN:
        raise ValueError(f"{len(settled)} samples after {settle_seconds:.0f} s are too few: measure longer")
    memory = [size for _, size in settled]
    median = statistics.median(memory)
    # Of some thousand pairs; the median does not mind a few samples out of line (Theil 1950, Sen 1968).
    step = max(len(settled) // 300, 1)
    slopes = ((y - x) / (b - a) for (a, x), (b, y) in itertools.combinations(settled[::step], 2))
    slope = statistics.median(slopes)
    tenth = max(len(memory) // 10, 1)
    return Verdict(
        settle_seconds=settle_seconds,
        median=median,
        slope=slope,
        slope_by_time=slope * (settled[-1][0] - settled[0][0]),
        drift=statistics.median(memory[-tenth:]) - statistics.median(memory[:tenth]),
        highest_above=max(memory) - median,
        drift_limit=max(median * DRIFT_SHARE, DRIFT_BYTES),
        peak_limit=median * PEAK_SHARE,
    )


class Feeder(threading.Thread):
    """Writes lap after lap until it is told to end."""

    def __init__(self, laps: Laps, replay: Piped) -> None:
        super().__init__(name="feeder", daemon=True)
        self.laps, self.replay = laps, replay
        self.packets, self.done = 0, threading.Event()
        self.error: RunError | None = None

    def run(self) -> None:
        try:
            self.replay.write(HEADER)
            for number in itertools.count():
                for piece in self.laps.lap(number):
                    self.replay.write(piece)
                self.packets += self.laps.packets
                if self.done.is_set():
                    return
        except RunError as error:
            self.error = error


def soak(laps: Laps, replay: Piped, seconds: float) -> list[Sample]:
    """Feeds the replay for so long, at least one lap, and looks at its memory all the while."""
    replay.open()
    feeder = Feeder(laps, replay)
    samples: list[Sample] = []
    begun = time.monotonic()
    feeder.start()
    while (passed := time.monotonic() - begun) < seconds and feeder.error is None:
        samples.append(Sample(passed, replay.memory(), feeder.packets))
        replay.check()
        time.sleep(SAMPLE_SECONDS)
    feeder.done.set()
    feeder.join()
    if feeder.error is not None:
        raise feeder.error
    samples.append(Sample(time.monotonic() - begun, replay.memory(), feeder.packets))
    return samples


def draw(samples: Sequence[Sample], title: str, told: str) -> str:
    """Memory over time as SVG."""
    chart = Chart(height=430, title=title)
    chart.text(400, 24, title, "middle")
    series = {
        "resident": [(s.seconds, s.memory.resident / MIB) for s in samples],
        "of it no file": [(s.seconds, s.memory.anonymous / MIB) for s in samples],
    }
    end = lines(chart, Box(70, 80, 700, 230), "Memory over a replay at full speed", "MiB", "seconds", series)
    for at, part in enumerate(told.split("; ")):
        chart.text(70, end + 24 + 16 * at, part, size=11)
    return chart.svg()


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pcap", type=Path, nargs="+", required=True, help="a capture; several, or folders, are joined")
    add("--rules", type=Path, nargs="+", required=True, help="the rule files")
    add("--seconds", type=float, default=600.0, help="how long (default 600)")
    add("--settle", type=float, default=SETTLE_SECONDS, help="seconds that do not count (default 60)")
    add("--conf", type=Path, default=CONFIGURATION, help="the configuration")
    add(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of the configuration",
    )
    add("--out", type=Path, default=Path("bench-out"), help="where figures go (default bench-out)")
    args = parser.parse_args()
    if not are_there("soak", *args.pcap, *args.rules):
        return EXIT_CANNOT_RUN
    if args.seconds < args.settle + SAMPLES_MIN * 2:
        print(f"soak: {args.seconds:.0f} s are too few with --settle {args.settle:.0f}", file=sys.stderr)
        return EXIT_CANNOT_RUN
    try:
        return run(args)
    except RunError as error:
        print(f"soak: {error}", file=sys.stderr)
        return EXIT_CANNOT_RUN


def run(args: argparse.Namespace) -> int:
    """Feeds, judges, and writes picture and record."""
    record = environment()
    single = len(args.pcap) == 1 and args.pcap[0].is_file()
    laps = Laps(args.pcap[0] if single else join.kept(join.find(args.pcap), KEPT))
    with (
        tempfile.TemporaryDirectory(prefix="haidang-soak-") as folder,
        Piped(Path(folder), args.rules, args.conf, args.settings) as replay,
    ):
        samples = soak(laps, replay, args.seconds)
        said = replay.finish()
    verdict = judge([(s.seconds, s.memory.resident) for s in samples], args.settle)
    last = samples[-1]
    rate = last.packets / last.seconds
    counted = said["counters"]["decoder.pkts"]
    title = f"{last.packets:,} packets in {last.seconds:.0f} s ({rate:,.0f} a second)"
    print(f"{title}, {said['events']:,} events, {said['counters'].get('haidang.panics', 0)} panics")
    print(verdict.told())
    faults = [f"memory {fault}" for fault in verdict.faults]
    if counted != last.packets:
        faults.append(f"{last.packets} packets were written, {counted} came")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "soak.svg").write_text(draw(samples, title, verdict.told()), encoding="utf-8")
    write_json(
        args.out / "soak.json",
        record
        | {
            "command": shlex.join(sys.argv),
            "seconds": last.seconds,
            "packets": last.packets,
            "packets_per_second": rate,
            "verdict": verdict,
            "faults": faults,
            "events": said["events"],
            "counters": {name: value for name, value in said["counters"].items() if value},
            "warnings": said["warnings"],
            "samples": [(s.seconds, *s.memory, s.packets) for s in samples],
        },
    )
    print("\n".join(f"NOT FLAT: {fault}" for fault in faults) or "flat", f"({args.out}/soak.svg, soak.json)")
    return EXIT_GROWS if faults else 0


if __name__ == "__main__":
    sys.exit(main())
