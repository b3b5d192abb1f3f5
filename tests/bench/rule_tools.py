"""How long the rule engineer waits: each command of the rule bench, from its start to its end.

    python tests/bench/rule_tools.py [--rules FILE] [--pcap FILE] [--runs N]; `make bench BENCH=rule-tools`

The commands run as processes, as a person runs them, --runs times each; the shortest and the median are told.
What is measured: check with and without lint, the test of one rule, the tests of all shipped rules on all
shipped captures, explain, profile and diff, each on the shipped rules and captures, and on --rules and --pcap
when they are given.

Exit code: 0, or 2 when a command could not be run or a test failed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
SHIPPED_CAPTURE = ROOT / "pcaps/web-sql-injection.pcap"
SHIPPED_SID = 9000101
ONE_RULE = 'alert http any any -> any any (msg:"x"; http.uri; content:"/index.html"; sid:1000001;)\n'
CANNOT_RUN = 2
SECONDS_MAX = 600


def commands(folder: Path, rules: Path | None, capture: Path | None) -> dict[str, list[str]]:
    """What is measured, by name."""
    shipped = folder / "shipped.rules"
    shipped.write_text("".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.rules"))))
    one = folder / "one.rules"
    one.write_text(ONE_RULE)
    case = folder / "case"
    case.mkdir()
    (case / "test.yaml").write_text(f"pcap: {ROOT / 'pcaps/http-get.pcap'}\nalerts: {{1000001: 1}}\n")
    (case / "one.rules").write_text(ONE_RULE)
    shared = ["-S", str(shipped), "-r", str(SHIPPED_CAPTURE)]
    measured = {
        "check, shipped rules": ["check", str(shipped)],
        "test, one rule": ["test", str(case)],
        "test, shipped rules": ["test", "-S", str(shipped), str(shipped_cases(folder))],
        "explain, one rule alone": [
            "explain",
            "1000001",
            "-S",
            str(one),
            "-r",
            str(ROOT / "pcaps/http-get.pcap"),
        ],
        "explain, among the shipped rules": ["explain", str(SHIPPED_SID), *shared],
        "profile, shipped rules": ["profile", *shared],
        "diff, shipped rules": ["diff", str(shipped), str(shipped), "-r", str(SHIPPED_CAPTURE)],
    }
    if rules is not None:
        name = rules.name
        measured[f"check, {name}"] = ["check", str(rules)]
        measured[f"check --no-lint, {name}"] = ["check", "--no-lint", str(rules)]
        if capture is not None:
            measured[f"profile, {name} on {capture.name}"] = ["profile", "-S", str(rules), "-r", str(capture)]
    return measured


def shipped_cases(folder: Path) -> Path:
    """A test for each shipped capture: what fires in it, and nothing else."""
    fires: dict[str, dict[int, int]] = {path.stem: {} for path in sorted((ROOT / "pcaps").glob("*.pcap*"))}
    for sid, told in tomllib.loads((ROOT / "rules/tests.toml").read_text()).items():
        for name, count in told["fires"].items():
            fires[name][int(sid)] = count
    arguments = ["-k none", f"-c {ROOT / 'tests/shipped/replay.yaml'}"]
    for key, name in (
        ("classification-file", "classification.config"),
        ("reference-config-file", "reference.config"),
        ("threshold-file", "threshold.config"),
    ):
        arguments.append(f"--set {key}={ROOT / 'rules' / name}")
    cases = folder / "shipped"
    for name, alerts in fires.items():
        case = cases / name
        case.mkdir(parents=True)
        [capture] = (ROOT / "pcaps").glob(f"{name}.pcap*")
        told = {"pcap": str(capture), "args": arguments, "alerts": alerts}
        (case / "test.yaml").write_text(yaml.safe_dump(told))
    return cases


def seconds(words: list[str], folder: Path) -> float:
    """From the start to the end of a command. Exits when it could not do its work."""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "sensor.cli", "rules", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    taken = time.monotonic() - begin
    good = (0,) if words[0] == "test" else (0, 1)  # 1: check and diff found something
    if done.returncode not in good:
        print(f"rules {' '.join(words)}: {done.stdout}{done.stderr}", file=sys.stderr)
        sys.exit(CANNOT_RUN)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rules", type=Path, help="a large set of rules")
    parser.add_argument("--pcap", type=Path, help="a large capture")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, words in commands(folder, args.rules, args.pcap).items():
            taken = [seconds(words, folder) for _ in range(max(args.runs, 1))]
            figures[what] = {"shortest": min(taken), "median": statistics.median(taken)}
            print(f"{min(taken):8.2f} s {statistics.median(taken):8.2f} s  {what}", flush=True)
    if args.json is not None:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
