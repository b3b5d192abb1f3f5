"""Detection parity: what Suricata alerts on and what Hải Đăng alerts on, with the same rules and settings.

    python tests/bench/parity.py --pcap FILE|FOLDER… --rules FILE [--floor 0.98] [--keep FOLDER]

Every capture (of a folder all below it) is read by both, each time with empty flow tables; those that
Suricata cannot read are counted and left out. Compared is the multiset of alerts: signature id and flow (the
ends in one order whatever the direction, protocol, capture).

- recall: share of Suricata's alerts that Hải Đăng has too
- precision: share of Hải Đăng's alerts that Suricata has too

Then follow the rules with the most differences in both directions, each with an example. With --keep
Suricata's alerts stay in the folder and are used again by the next run: delete it when captures, rules or
configuration change.

Exit code: 0 when both are at least --floor, 1 when one is below, 2 when something could not be run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from suricata_socket import CONSOLE, SuricataError, read_captures, running, unread

from sensor.desk.alerts import Alerts, Comparison, alerts_of

STOCK_CONFIGURATION = Path("/etc/suricata/suricata.yaml")
BATCH_WAIT_SECONDS = 1.0
EXIT_BELOW, EXIT_CANNOT_RUN = 1, 2

# The stock configuration with alerts as the only output, and one thread: with more of them, which of two
# flows reaches a threshold first is left to chance.
ALERTS_ONLY = """%YAML 1.1
---
include: {configuration}
runmode: single
outputs:
  - eve-log: {{enabled: yes, filetype: regular, filename: eve.json, types: [alert]}}
"""

# Suricata varies the size of the pieces it inspects from run to run: a comparison needs it to hold still.
HOLD_STILL = "stream.reassembly.randomize-chunk-size=no"


def their_alerts(
    captures: Sequence[Path], rules: Path, conf: Path, folder: Path, settings: Sequence[str], checksums: str
) -> tuple[Alerts, set[str]]:
    """What Suricata alerts on, and the captures it cannot read; answers from the folder when an earlier run
    has left it there."""
    outputs = [folder / "suricata" / str(number) for number in range(len(captures))]
    done = folder / "suricata" / "done"
    if not done.exists():
        done.parent.mkdir(parents=True, exist_ok=True)
        options = ["-k", checksums, *(word for setting in settings for word in ("--set", setting))]
        with running(conf, rules, done.parent, options) as client:
            read_captures(client, captures, outputs)
        done.touch()
    alerts: Alerts = Counter()
    for capture, output in zip(captures, outputs, strict=True):
        eve = output / "eve.json"
        if eve.exists():
            with eve.open(encoding="utf-8") as lines:
                alerts += alerts_of(lines, str(capture))
    return alerts, unread((done.parent / CONSOLE).read_text(errors="replace"))


def our_alerts(
    captures: Sequence[Path], rules: Path, conf: Path, settings: Sequence[str], checksums: str
) -> Alerts:
    """What Hải Đăng alerts on: one ruleset, one replay per capture."""
    from sensor._engine import Replay
    from sensor.config import load as load_config
    from sensor.rules.loading import load as load_rules

    config = load_config(conf, list(settings), checksums=checksums)
    ruleset, _ = load_rules(config, only=[str(rules)])
    document = config.engine_json()
    alerts: Alerts = Counter()
    for capture in captures:
        replay = Replay(document, ruleset, [str(capture)], 1)
        while not replay.finished:
            batch = replay.next_batch(BATCH_WAIT_SECONDS)
            if batch is not None:
                alerts += alerts_of(batch.data.splitlines(), str(capture))
    return alerts


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pcap", type=Path, nargs="+", required=True, help="captures, or folders of them")
    parser.add_argument("--rules", type=Path, required=True, help="the rule file")
    parser.add_argument("--floor", type=float, default=0.98, help="what both must reach (default 0.98)")
    parser.add_argument("--worst", type=int, default=40, help="rules shown per direction (default 40)")
    parser.add_argument("--keep", type=Path, help="keep outputs here, and use Suricata's again")
    parser.add_argument(
        "--conf", type=Path, default=STOCK_CONFIGURATION, help="configuration of both sensors"
    )
    parser.add_argument("--set", dest="settings", action="append", default=[], help="KEY=VALUE of both")
    parser.add_argument("--checksums", default="none", choices=("none", "all"), help="-k of both")
    return parser.parse_args()


def main() -> int:
    """Command line."""
    args = arguments()
    if not shutil.which("suricata"):
        print("parity: suricata is not installed", file=sys.stderr)
        return EXIT_CANNOT_RUN
    for path in (args.rules, args.conf):
        if not path.is_file():
            print(f"parity: {path} is not there", file=sys.stderr)
            return EXIT_CANNOT_RUN
    if args.keep is not None:
        return compare(args, args.keep.resolve())
    with tempfile.TemporaryDirectory(prefix="haidang-parity-") as folder:
        return compare(args, Path(folder))


def compare(args: argparse.Namespace, folder: Path) -> int:
    """Runs both sensors and prints the report."""
    from sensor.cli.inputs import find_captures

    found = find_captures([str(path.resolve()) for path in args.pcap])
    for refusal in found.refused:
        print(f"parity: left out: {refusal}", file=sys.stderr)
    captures = [Path(path) for path in found.paths]
    settings = [HOLD_STILL, *args.settings]
    folder.mkdir(parents=True, exist_ok=True)
    conf = folder / "parity.yaml"
    conf.write_text(ALERTS_ONLY.format(configuration=args.conf.resolve()))
    try:
        theirs, unreadable = their_alerts(
            captures, args.rules.resolve(), conf, folder, settings, args.checksums
        )
    except SuricataError as error:
        print(f"parity: {error}", file=sys.stderr)
        return EXIT_CANNOT_RUN
    theirs = Counter({alert: n for alert, n in theirs.items() if alert.capture not in unreadable})
    captures = [path for path in captures if str(path) not in unreadable]
    ours = our_alerts(captures, args.rules.resolve(), conf, settings, args.checksums)
    comparison = Comparison(ours, theirs)
    print(f"{len(captures)} captures, without {len(unreadable)} that Suricata cannot read; {args.rules.name}")
    print(comparison.report(args.worst))
    return 0 if min(comparison.recall, comparison.precision) >= args.floor else EXIT_BELOW


if __name__ == "__main__":
    sys.exit(main())
