"""Joins many captures into one classic Ethernet pcap, the same bytes on every run.

    python tests/bench/join.py FILE|FOLDER… --to FILE [--together N] [--laps N]

N captures (--together, default 64) run side by side: a wave. Waves follow one another after a pause in which
every flow times out. Captures are taken in the order of their paths and dealt to the waves in turn, so that
neighbours, which often show the same hosts, do not meet. `--together 1` lets them run one after another. The
whole is repeated --laps times.

Within a capture the packets keep their order and their distance in time, with two exceptions: time does not
run backwards, and a pause longer than the one between waves is shortened to it. Captures that are not
Ethernet throughout (and files that are no captures) are left out and named; a truncated one counts up to its
damage.
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import captures
from captures import ETHERNET, Record

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

TOGETHER = 64
PAUSE_NS = 3_601 * 10**9  # longer than any flow timeout, and than the seconds of most thresholds
FIRST_NS = 1_750_000_000 * 10**9
FORM = 1  # of what is written; another number makes kept files anew


@dataclass
class Joined:
    """What came of it."""

    path: Path
    packets: int = 0
    used: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def _timed(path: Path, start_ns: int) -> Iterator[Record]:
    """A capture's records with the times they get, which begin at `start_ns` and never run backwards."""
    now_ns, before_ns = start_ns, None
    for record in captures.records(path):
        if before_ns is not None:
            now_ns += min(max(record.time_ns - before_ns, 0), PAUSE_NS)
        before_ns = max(record.time_ns, before_ns or 0)
        yield record._replace(time_ns=now_ns)


def _frames(used: Sequence[Path], together: int, laps: int) -> Iterator[Record]:
    waves = max(-(-len(used) // together), 1)
    start_ns = FIRST_NS
    for _ in range(laps):
        for wave in range(waves):
            streams = [_timed(path, start_ns) for path in used[wave::waves]]
            last_ns = start_ns
            for record in heapq.merge(*streams, key=lambda record: record.time_ns):
                last_ns = record.time_ns
                yield record
            start_ns = last_ns + PAUSE_NS


def join(paths: Sequence[Path], to: Path, together: int = TOGETHER, laps: int = 1) -> Joined:
    """Joins the captures into the file `to`, which appears when it is whole."""
    joined = Joined(to)
    for path in sorted(paths):
        links = {record.link_type for record in captures.records(path)}
        if links == {ETHERNET}:
            joined.used.append(path)
        else:
            what = f"link types {sorted(links)}" if links else "nothing that can be read"
            joined.left_out.append(f"{path}: {what}")
    being_made = to.with_name(f"{to.name}.{os.getpid()}")
    try:
        joined.packets = captures.write(being_made, _frames(joined.used, together, laps))
        being_made.replace(to)
    finally:
        being_made.unlink(missing_ok=True)
    return joined


def kept(paths: Sequence[Path], folder: Path, together: int = TOGETHER, laps: int = 1) -> Path:
    """The joined file in `folder`, made when it is not there or its captures are no longer the same."""
    facts = [f"{FORM} {together} {laps}"]
    facts += [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in sorted(paths)]
    to = folder / f"joined-{hashlib.sha256(os.fsencode(os.linesep.join(facts))).hexdigest()[:16]}.pcap"
    if not to.exists():
        folder.mkdir(parents=True, exist_ok=True)
        tell(join(paths, to, together, laps))
    return to


def tell(joined: Joined) -> None:
    """What was joined, to standard error."""
    files = f"{len(joined.used)} captures, {len(joined.left_out)} left out"
    print(f"join: {joined.path}: {joined.packets} packets of {files}", file=sys.stderr)


def find(names: Sequence[Path]) -> list[Path]:
    """The captures named, and those in the folders named."""
    from sensor.cli.inputs import find_captures

    found = find_captures([str(name.resolve()) for name in names])
    for refusal in found.refused:
        print(f"join: left out: {refusal}", file=sys.stderr)
    return [Path(path) for path in found.paths]


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", type=Path, nargs="+", metavar="FILE|FOLDER")
    parser.add_argument("--to", type=Path, required=True, metavar="FILE")
    parser.add_argument("--together", type=int, default=TOGETHER, help="captures side by side (default 64)")
    parser.add_argument("--laps", type=int, default=1, help="how often the whole is repeated (default 1)")
    args = parser.parse_args()
    joined = join(find(args.paths), args.to, max(args.together, 1), max(args.laps, 1))
    for line in joined.left_out:
        print(f"join: left out: {line}", file=sys.stderr)
    tell(joined)
    return 0 if joined.packets else 2


if __name__ == "__main__":
    sys.exit(main())
