"""Paired benchmark: Suricata and Hải Đăng in turn on the same capture, rules and configuration.

    python tests/bench/paired.py --pcap FILE|FOLDER… --rules FILE [--runs N] [--out FOLDER] [--ours "CMD"]

Several captures, or folders of them, are joined into one first (join.py), which is kept for the next time in
the system's folder for temporary files. In each pair both sensors read a capture with one frame, which costs
nothing but start-up, and then the capture; what the second costs more is the cost of the packets, output
included. Hải Đăng first reads the one frame with nothing cached. Sensors alternate, so that a drift of the
machine hits both. Alerts are compared by (signature, flow), events by their number of each type. A second
table tells where our time goes, and the floor under it (stages.py).

The figures go to standard output, and with those of every run, the machine and the commands to bench.json in
--out; bench.svg there shows both tables. docs/speed.md says what each figure means.

Exit code: 0 when the ratio of packets per CPU second (ours / Suricata's, median of pairs) is at least
--at-least, 1 when it is below, 2 when something could not be run.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import captures
import join
import paired_chart
import stages
import tables
from figures import Sensor, Stages, ratios
from runs import HAIDANG, RunError, are_there, environment, execute, write_json

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from sensor.desk.alerts import Alerts, Comparison

CONFIGURATION = Path(__file__).with_name("paired.yaml")
OURS = f"{HAIDANG} replay -c {{conf}} -r {{pcap}} -S {{rules}} -l {{out}} --data-dir {{data}}"
THEIRS = "suricata --runmode single -c {conf} -r {pcap} -S {rules} -l {out}"
EXIT_BELOW, EXIT_CANNOT_RUN = 1, 2
KEPT = Path(tempfile.gettempdir()) / "haidang-bench"
WORST_RULES = 20


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pcap", type=Path, nargs="+", required=True, help="a capture; several, or folders, are joined")
    add("--rules", type=Path, nargs="+", required=True, help="the rule files")
    add("--runs", type=int, default=3, help="pairs of runs (default 3)")
    add("--at-least", type=float, default=1.0, help="the smallest ratio that passes (default 1.0)")
    add("--out", type=Path, default=Path("bench-out"), help="where figures go (default bench-out)")
    add("--name", default="bench", help="of the files with the figures (default bench)")
    add("--keep", type=Path, help="keep both sensors' last output in this folder")
    add("--checksums", default="none", choices=("none", "all"), help="-k of both sensors")
    add("--together", type=int, default=join.TOGETHER, help="joined captures that run side by side")
    add("--laps", type=int, default=1, help="how often joined captures are repeated")
    add("--ours", default=OURS, help="our command, with {pcap} {rules} {out} {data} {conf}")
    return parser.parse_args()


def main() -> int:
    """Command line."""
    args = arguments()
    if not are_there("bench", *args.pcap, *args.rules):
        return EXIT_CANNOT_RUN
    if not shutil.which("suricata"):
        print(
            "bench: suricata is not installed (apt-get install -t bookworm-backports suricata)",
            file=sys.stderr,
        )
        return EXIT_CANNOT_RUN
    with tempfile.TemporaryDirectory(prefix="haidang-bench-") as folder:
        try:
            return bench(args, Path(folder))
        except RunError as error:
            print(f"bench: {error}", file=sys.stderr)
            return EXIT_CANNOT_RUN


def bench(args: argparse.Namespace, folder: Path) -> int:
    """Runs the pairs, prints the tables and writes the record."""
    from sensor.desk.alerts import Comparison

    record: dict[str, Any] = environment()
    pcap, rules = one_capture(args), one_file(args.rules, folder)
    conf, one_frame = folder / "paired.yaml", folder / "one-frame.pcap"
    conf.write_text(
        CONFIGURATION.read_text()
        + f"classification-file: {ROOT / 'rules' / 'classification.config'}\n"
        + f"reference-config-file: {ROOT / 'rules' / 'reference.config'}\n"
    )
    captures.write_one_frame(one_frame)
    packets = sum(1 for _ in captures.records(pcap))
    ours = Sensor("haidang", f"{args.ours} -k {args.checksums}", packets)
    theirs = Sensor("suricata", f"{THEIRS} -k {args.checksums}", packets)
    print(f"{pcap.name}: {packets:,} packets; rules: {_names(args.rules)}; {args.runs} pairs", flush=True)
    outputs = {sensor.name: (args.keep or folder).resolve() / sensor.name for sensor in (ours, theirs)}
    data = folder / "data"
    for number in range(args.runs):
        for sensor in (ours, theirs):
            out = outputs[sensor.name]
            places = {"rules": rules, "out": out, "conf": conf, "data": data}
            if sensor is ours:
                run(sensor.cold, sensor.command, places | {"pcap": one_frame}, fresh=(out, data))
            run(sensor.start, sensor.command, places | {"pcap": one_frame}, fresh=(out,))
            run(sensor.full, sensor.command, places | {"pcap": pcap}, fresh=(out,))
            start, full = sensor.start[-1], sensor.full[-1]
            print(
                f"  pair {number + 1} {sensor.name:9} start-up {start.cpu_seconds:6.2f} s, "
                f"packets {full.cpu_seconds - start.cpu_seconds:6.2f} s CPU",
                flush=True,
            )
    alerts = [
        written(outputs[sensor.name] / "eve.json", sensor.events, pcap.name) for sensor in (ours, theirs)
    ]
    found = stages.measure(pcap, rules, conf, data, args.runs, args.checksums)
    comparison = Comparison(*alerts)
    print(f"\n{tables.sensor_table([ours, theirs])}\n\n{tables.ratio_table(ours, theirs)}")
    print(f"\n{tables.event_table(ours, theirs)}\n\n{comparison.report(WORST_RULES)}")
    print(f"\n{tables.stage_table(found)}")
    title = f"{_names(args.pcap)}, {packets:,} packets, {_names(args.rules)}, {args.runs} pairs"
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / f"{args.name}.svg").write_text(
        paired_chart.draw(ours, theirs, found, title), encoding="utf-8"
    )
    write_json(args.out / f"{args.name}.json", record | whole_record(args, ours, theirs, found, comparison))
    print(f"\n{args.out / args.name}.svg and .json have the figures")
    return 0 if ratios(ours, theirs)[0].spread.median >= args.at_least else EXIT_BELOW


def whole_record(
    args: argparse.Namespace, ours: Sensor, theirs: Sensor, found: Stages, comparison: Comparison
) -> dict[str, Any]:
    """What bench.json holds, apart from the machine."""
    return {
        "command": shlex.join(sys.argv),
        "captures": [str(path) for path in args.pcap],
        "rules": [str(path) for path in args.rules],
        "sensors": [ours, theirs],
        "ratios": ratios(ours, theirs),
        "alerts": {
            "ours": comparison.ours.total(),
            "suricata": comparison.theirs.total(),
            "in_both": comparison.in_both,
            "recall": comparison.recall,
            "precision": comparison.precision,
        },
        "stages": found,
        "floor_steps": found.floor_steps,
        "times_floor": found.times_floor,
        "times_narrowed": found.times_narrowed,
    }


def run(into: list[Any], command: str, places: dict[str, Path], fresh: tuple[Path, ...]) -> None:
    """One run of a command with its placeholders filled in and the folders `fresh` made empty."""
    for folder in fresh:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    words = [word.format(**places) for word in shlex.split(command)]
    into.append(execute(words, places["out"] / "console.txt"))


def written(eve: Path, events: Counter[str], capture: str) -> Alerts:
    """Counts the events of a file by type, and returns its alerts."""
    from sensor.desk.alerts import alerts_of

    with eve.open(encoding="utf-8") as lines:
        events.update(json.loads(line)["event_type"] for line in lines)
    with eve.open(encoding="utf-8") as lines:
        return alerts_of((line for line in lines if '"event_type":"alert"' in line), capture)


def one_capture(args: argparse.Namespace) -> Path:
    """The capture both read."""
    if len(args.pcap) == 1 and args.pcap[0].is_file() and args.laps == 1:
        return Path(args.pcap[0]).resolve()
    # In a process of its own: Linux counts the memory of who starts a process among that of the process.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        return other.submit(join.kept, join.find(args.pcap), KEPT, args.together, args.laps).result()


def one_file(rules: list[Path], folder: Path) -> Path:
    """The rules as one file: Suricata takes but one -S."""
    if len(rules) == 1:
        return rules[0].resolve()
    joined = folder / "all.rules"
    joined.write_bytes(b"\n".join(path.read_bytes() for path in rules))
    return joined


def _names(paths: list[Path]) -> str:
    return paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more"


if __name__ == "__main__":
    sys.exit(main())
