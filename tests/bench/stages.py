"""Where our time goes: CPU time by stage, and the floor under it, of one capture in a process of its own.

    python tests/bench/stages.py --pcap FILE --rules FILE --conf FILE [--runs N]

The floor reads the capture, decodes it, and scans each payload once: with one Hyperscan database for all
payload patterns of its protocol and direction, as a plain loop would, and once more with the line's own
databases, which are narrower (docs/speed.md).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from figures import FLOOR, STAGE_COUNTER, STAGES, Stages
from runs import RunError, are_there

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

EXIT_CANNOT_RUN = 2
BATCH_WAIT_SECONDS = 1.0
TIMED = "haidang.stage-times=yes"


def measure(pcap: Path, rules: Path, conf: Path, data: Path, runs: int, checksums: str) -> Stages:
    """Runs the passes in another process; raises RunError when it fails."""
    command = [sys.executable, __file__, "--pcap", str(pcap), "--rules", str(rules), "--conf", str(conf)]
    command += ["--data", str(data), "--runs", str(runs), "--checksums", checksums, "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if run.returncode:
        raise RunError(f"the stages could not be measured:\n{run.stderr[-2000:]}")
    return Stages(**json.loads(run.stdout))


def passes(pcap: Path, rules: Path, conf: Path, data: Path, runs: int, checksums: str) -> Stages:
    """The medians of `runs` passes in this process."""
    from sensor._engine import floor
    from sensor.config import load
    from sensor.rules.loading import load as load_rules

    def document(*settings: str) -> str:
        config = load(conf, list(settings), checksums=checksums)
        config.tree["default-data-dir"] = str(data)
        return config.engine_json()

    config = load(conf, checksums=checksums)
    config.tree["default-data-dir"] = str(data)
    ruleset, _ = load_rules(config, only=[str(rules)])
    plain, timed = document(), document(TIMED)
    # In turn, so that a drift of the machine hits all.
    floors, plain_runs, timed_runs = [], [], []
    for _ in range(runs):
        floors.append(floor(plain, ruleset, str(pcap)))
        plain_runs.append(replay(plain, ruleset, pcap))
        timed_runs.append(replay(timed, ruleset, pcap))
    packets = floors[0]["packets"]

    def each(values: list[int]) -> float:
        return statistics.median(values) / max(packets, 1)

    return Stages(
        packets=packets,
        stages={name: each([c[STAGE_COUNTER + name] for _, c in timed_runs]) for name in STAGES},
        timed_total=each([ns for ns, _ in timed_runs]),
        plain_total=each([ns for ns, _ in plain_runs]),
        floor={name: each([figures[f"{name}_ns"] for figures in floors]) for name in FLOOR},
        narrowed=each([figures["narrowed_ns"] for figures in floors]),
        scanned_bytes=floors[0]["scanned_bytes"],
        scans=floors[0]["scans"],
    )


def replay(document: str, ruleset: Any, pcap: Path) -> tuple[int, dict[str, int]]:
    """CPU time in ns of a replay that drops its events, and its counters."""
    from sensor._engine import Replay

    began = time.process_time_ns()
    run = Replay(document, ruleset, [str(pcap)], 1)
    while not run.finished:
        run.next_batch(BATCH_WAIT_SECONDS)
    return time.process_time_ns() - began, run.counters()


def main() -> int:
    """Command line."""
    from tables import stage_table

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pcap", type=Path, required=True)
    parser.add_argument("--rules", type=Path, required=True)
    parser.add_argument("--conf", type=Path, default=Path(__file__).with_name("paired.yaml"))
    kept = Path(tempfile.gettempdir()) / "haidang-bench"
    parser.add_argument("--data", type=Path, default=kept, help=f"data directory (default: {kept})")
    parser.add_argument("--runs", type=int, default=3, help="passes of each kind (default 3)")
    parser.add_argument("--checksums", default="none", choices=("none", "all"))
    parser.add_argument("--json", action="store_true", help="figures for the program that started this one")
    args = parser.parse_args()
    if not are_there("stages", args.pcap, args.rules, args.conf):
        return EXIT_CANNOT_RUN
    found = passes(args.pcap, args.rules, args.conf, args.data, args.runs, args.checksums)
    print(json.dumps(vars(found)) if args.json else stage_table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
