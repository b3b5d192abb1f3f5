"""Every capture of a folder sanitized: what of the original is left in any byte, and whose alerts changed.

    python tests/bench/sanitized.py --pcap FILE|FOLDER… --rules FILE --out FOLDER

tshark is the witness: it dissects the original, and what its fields name (tests/pcap/witness.py) is sought in
every spelling in the bytes of the output, in its streams put together and in all that tshark reads from it.
Results go to OUT/sanitized.jsonl, a line each, and a run that was broken off goes on where it was.

Exit code: 0 when nothing is left and the alerts of at least --floor of the captures are the same, 1 when not,
2 when something could not be run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pcap"))

from dissection import Dissection, dissect
from witness import left_in, names_of

from sensor.cli.inputs import find_captures
from sensor.config import load as load_config
from sensor.desk.replaying import events, everything
from sensor.errors import UserError
from sensor.pcap import proof
from sensor.pcap.known import known_from
from sensor.pcap.pseudonyms import Pseudonyms
from sensor.pcap.sanitize import sanitize
from sensor.rules.loading import load as load_rules

if TYPE_CHECKING:
    from sensor._engine import Ruleset
    from sensor.config import Config

KEY = bytes(range(32))


@dataclass
class Result:
    """Of one capture. left: what of the original is still there; lost, gained: alerts."""

    path: str
    refused: str = ""
    names: int = 0
    alerts: int = 0
    left: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    gained: list[str] = field(default_factory=list)


class _Check:
    def __init__(self, config: Config, ruleset: Ruleset, cache: Path | None) -> None:
        self.config, self.ruleset, self.cache = config, ruleset, cache
        self.pseudonyms = Pseudonyms(KEY, proof.home_ranges(config))
        self.knowing, self.no_rules = everything()
        self.signatures: dict[int, str] = {}

    def one(self, path: Path, target: Path) -> Result:
        """Sanitize one capture and look what is left."""
        result = Result(str(path))
        try:
            known = known_from(events(self.knowing, self.no_rules, [str(path)]))
            sanitize(path, target, known, self.pseudonyms)
        except UserError as error:
            result.refused = str(error)
            return result
        before = proof.alerts(self.config, self.ruleset, [str(path)], self.signatures, self.pseudonyms)
        after = proof.alerts(self.config, self.ruleset, [str(target)], self.signatures)
        result.alerts = before.total()
        result.lost, result.gained = self._told(before - after), self._told(after - before)
        then, now = self._dissected(path), self._dissected(target)
        names = names_of(then)
        result.names = len(names.texts) + len(names.addresses) + len(names.macs)
        result.left = left_in(names, path, target, then, now, self.pseudonyms.address)
        return result

    def _told(self, alerts: proof.Alerts) -> list[str]:
        return [
            f"{number} x {alert.signature_id} {self.signatures[alert.signature_id]}"
            for alert, number in sorted(alerts.items())
        ]

    def _dissected(self, path: Path) -> Dissection:
        """tshark's account of a capture, kept for the next run by the capture's bytes."""
        if self.cache is None:
            return dissect(path)
        kept = self.cache / f"{hashlib.sha256(path.read_bytes()).hexdigest()}.pickle"
        if kept.exists():
            found: Dissection = pickle.loads(kept.read_bytes())
            return found
        found = dissect(path)
        kept.write_bytes(pickle.dumps(found))
        return found


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pcap", nargs="+", required=True, help="captures, or folders of them")
    parser.add_argument("--rules", nargs="+", required=True, help="the rule files")
    parser.add_argument("--floor", type=float, default=0.99, help="share of captures with the same alerts")
    parser.add_argument("--out", type=Path, default=Path("bench-out"), help="folder of the results")
    parser.add_argument("--shard", default="0/1", metavar="I/N", help="every Nth capture from the Ith on")
    parser.add_argument("--cache", type=Path, help="folder where dissections are kept")
    args = parser.parse_args()
    if not shutil.which("tshark"):
        print("sanitized: tshark is not installed: apt-get install tshark", file=sys.stderr)
        return 2
    shard, shards = map(int, args.shard.split("/"))
    paths = find_captures(args.pcap).paths[shard::shards]
    if not paths:
        print("sanitized: no captures", file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / f"sanitized{f'-{shard}' if shards > 1 else ''}.jsonl"
    config = load_config(checksums="none")
    ruleset, _ = load_rules(config, only=args.rules)
    check, begin = _Check(config, ruleset, args.cache), time.monotonic()
    results = [Result(**json.loads(line)) for line in file.open()] if file.exists() else []
    done = {result.path for result in results}
    with tempfile.TemporaryDirectory(prefix="haidang-sanitized-") as folder, file.open("a") as out:
        for path in paths:
            if path not in done:
                result = check.one(Path(path), Path(folder) / f"out{Path(path).suffix}")
                results.append(result)
                print(json.dumps(asdict(result)), file=out, flush=True)
    return _judge(results, time.monotonic() - begin, args.floor)


def _judge(results: list[Result], seconds: float, floor: float) -> int:
    read = [result for result in results if not result.refused]
    for result in results:
        lines: dict[str, Any] = {"lost": result.lost, "gained": result.gained, "left": result.left}
        for title, told in lines.items():
            for line in told:
                print(f"{result.path}: {title} {line}")
        if result.refused:
            print(f"not sanitized: {result.refused}")
    same = sum(not result.lost and not result.gained for result in read)
    leaks = sum(bool(result.left) for result in read)
    print(
        f"{len(read)} captures in {seconds:.0f} s, {len(results) - len(read)} that cannot be read; "
        f"{sum(bool(result.alerts) for result in read)} with alerts; alerts the same: {same} "
        f"({same / max(len(read), 1):.4f}); {sum(result.names for result in read)} names sought; "
        f"something left: {leaks}"
    )
    return 0 if read and not leaks and same >= floor * len(read) else 1


if __name__ == "__main__":
    sys.exit(main())
