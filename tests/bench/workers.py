"""Scaling: the same replay with one worker and with two, by the clock, and whether both write the same.

    python tests/bench/workers.py --pcap FILE|FOLDER… --rules FILE… [--workers 1 2] [--runs N] [--out FOLDER]

The rules are loaded once. Then, round by round, the capture is replayed with each number of workers, and its
events are written as `haidang replay` writes them. The clock runs from the start of the workers until the
files are closed: reading and writing are in it, loading is not. The first number of workers is what the
others are compared with.

Every number of workers must write the same events, sorted; of the stats event only its counters count, as it
tells when it was written.

Exit code: 0 when the last number of workers is at least --at-least times as fast as the first (1.7) and all
wrote the same, 1 when not, 2 when something could not be run.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import captures
from paired import CONFIGURATION, one_capture
from runs import Spread, are_there, environment, write_json
from tables import spread_text

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from sensor._engine import Ruleset
    from sensor.config import Config

BATCH_WAIT_SECONDS = 0.2
EXIT_BELOW, EXIT_CANNOT_RUN = 1, 2


@dataclass
class Workers:
    """A number of workers, and the seconds it took round by round."""

    number: int
    packets: int
    seconds: list[float] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Packets a second."""
        return [self.packets / seconds for seconds in self.seconds]


def speed_up(one: Workers, more: Workers) -> Spread:
    """How many times as fast, round by round."""
    return Spread.of([b / a for a, b in zip(one.rates, more.rates, strict=True)])


def sorted_events(eve: Path) -> list[str]:
    """The events of a file, sorted; stats events by their counters alone."""
    lines = []
    with eve.open(encoding="utf-8") as file:
        for line in file:
            if '"event_type":"stats"' in line:
                stats = json.loads(line)["stats"]
                stats.pop("uptime", None)
                line = json.dumps(stats, sort_keys=True)
            lines.append(line.rstrip("\n"))
    return sorted(lines)


def difference(ours: list[str], theirs: list[str]) -> list[str]:
    """The lines that only one has, marked - and +; lines that begin alike stand together."""
    one, other = Counter(ours), Counter(theirs)
    found = [(line, "-") for line in (one - other).elements()]
    found += [(line, "+") for line in (other - one).elements()]
    return [f"{mark} {line}" for line, mark in sorted(found)]


def told(differences: list[str], file: Path) -> str:
    """The number of differences, by type of event; the lines themselves go to a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in differences), encoding="utf-8")
    if not differences:
        return "the same events"
    kinds = Counter(json.loads(line[2:]).get("event_type", "stats") for line in differences)
    return f"{len(differences)} lines DIFFER ({dict(kinds.most_common())}), see {file}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pcap", type=Path, nargs="+", required=True, help="a capture; several, or folders, are joined")
    add("--rules", type=Path, nargs="+", required=True, help="the rule files")
    add("--workers", type=int, nargs="+", default=[1, 2], help="numbers of workers (default 1 2)")
    add("--runs", type=int, default=9, help="rounds (default 9)")
    add("--laps", type=int, default=1, help="how often the capture is repeated, for longer runs")
    add("--at-least", type=float, default=1.7, help="the smallest ratio that passes (default 1.7)")
    add("--out", type=Path, default=Path("bench-out"), help="where figures go (default bench-out)")
    args = parser.parse_args(arguments)
    args.together = 1
    if not are_there("workers", *args.pcap, *args.rules):
        return EXIT_CANNOT_RUN
    with tempfile.TemporaryDirectory(prefix="haidang-workers-") as folder:
        return bench(args, Path(folder))


def replay(config: Config, ruleset: Ruleset, pcap: Path, workers: int, out: Path) -> float:
    """Seconds of a replay that writes its events below `out`."""
    from sensor._engine import Replay
    from sensor.output import close_sinks, open_sinks

    began = time.monotonic()
    sinks = open_sinks(config, out)
    run = Replay(config.engine_json(), ruleset, [str(pcap)], workers)
    while not run.finished:
        batch = run.next_batch(BATCH_WAIT_SECONDS)
        if batch is not None:
            for sink in sinks:
                sink.write(batch)
    close_sinks(sinks)
    return time.monotonic() - began


def bench(args: argparse.Namespace, folder: Path) -> int:
    """Runs the rounds, prints the figures and writes the record."""
    from sensor.config import load
    from sensor.rules.loading import load as load_rules

    record = environment()
    pcap = one_capture(args)
    packets = sum(1 for _ in captures.records(pcap))
    config = load(CONFIGURATION, [f"default-data-dir={folder}"], checksums="none")
    ruleset, _ = load_rules(config, only=[str(path) for path in args.rules])
    all_workers = [Workers(number, packets) for number in args.workers]
    first: list[str] = []
    differences: list[str] = []
    print(f"{pcap.name}: {packets:,} packets; {args.runs} rounds", flush=True)
    for round_number in range(args.runs):
        for workers in all_workers:
            out = folder / str(workers.number)
            shutil.rmtree(out, ignore_errors=True)
            workers.seconds.append(replay(config, ruleset, pcap, workers.number, out))
            rate = f"{workers.number} workers: {workers.rates[-1]:,.0f} packets/s"
            print(f"  round {round_number + 1}, {rate}", flush=True)
            events = sorted_events(out / "eve.json")
            first = first or events
            differences += difference(first, events)
    one, last = all_workers[0], all_workers[-1]
    ratio = speed_up(one, last)
    for workers in all_workers:
        print(f"{workers.number} workers: {spread_text(Spread.of(workers.rates), 0)} packets/s")
    print(f"{last.number} by {one.number}: ×{spread_text(ratio, 2)}, at least {args.at_least}")
    print("sorted: " + told(differences, args.out / "workers.differences"))
    write_json(
        args.out / "workers.json",
        record
        | {
            "command": shlex.join(sys.argv),
            "packets": packets,
            "workers": all_workers,
            "ratio": ratio,
            "differences": len(differences),
        },
    )
    return 0 if ratio.median >= args.at_least and not differences else EXIT_BELOW


if __name__ == "__main__":
    sys.exit(main())
