"""Every capture of a folder sanitized: what of the original is left in any byte, and whose alerts changed.

    python tests/bench/sanitized.py --pcap FILE|FOLDER… --rules FILE

Exit code: 0 when nothing is left and the alerts of at least --floor of the captures are the same, 1 when not,
2 when something could not be run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pcap"))

from searching import left_in

from sensor.cli.inputs import find_captures
from sensor.config import load as load_config
from sensor.desk.replaying import events, everything
from sensor.errors import UserError
from sensor.pcap import proof
from sensor.pcap.known import known_from
from sensor.pcap.pseudonyms import Pseudonyms
from sensor.pcap.sanitize import sanitize
from sensor.rules.loading import load as load_rules

KEY = bytes(range(32))


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pcap", nargs="+", required=True, help="captures, or folders of them")
    parser.add_argument("--rules", required=True, help="the rule file")
    parser.add_argument("--floor", type=float, default=0.99, help="share of captures with the same alerts")
    args = parser.parse_args()
    config = load_config(checksums="none")
    ruleset, _ = load_rules(config, only=[args.rules])
    knowing, no_rules = everything()
    pseudonyms = Pseudonyms(KEY, proof.home_ranges(config))
    found = find_captures(args.pcap)
    if not found.paths:
        print("sanitized: no captures", file=sys.stderr)
        return 2
    begin, done, same, with_alerts, unreadable, leaks = time.monotonic(), 0, 0, 0, 0, 0
    signatures: dict[int, str] = {}
    with tempfile.TemporaryDirectory(prefix="haidang-sanitized-") as folder:
        for path in found.paths:
            target = Path(folder) / "out"
            try:
                sanitize(Path(path), target, known_from(events(knowing, no_rules, [path])), pseudonyms)
            except UserError as error:
                unreadable += 1
                print(f"not sanitized: {error}")
                continue
            done += 1
            before = proof.alerts(config, ruleset, [path], signatures, pseudonyms)
            after = proof.alerts(config, ruleset, [str(target)], signatures)
            with_alerts += bool(before)
            same += before == after
            for title, alerts in (("lost", before - after), ("gained", after - before)):
                for alert, number in sorted(alerts.items()):
                    print(f"{path}: {title} {number} x {alert.signature_id} {signatures[alert.signature_id]}")
            left = left_in(Path(path), target, pseudonyms)
            if left:
                leaks += 1
                print(f"{path}: left {', '.join(left[:20])}")
    seconds = time.monotonic() - begin
    print(
        f"{done} captures in {seconds:.0f} s, {unreadable} that cannot be read; {with_alerts} with alerts; "
        f"alerts the same: {same} ({same / max(done, 1):.4f}); something left: {leaks}"
    )
    return 0 if not leaks and same >= args.floor * done else 1


if __name__ == "__main__":
    sys.exit(main())
