"""Rules and captures on which they alert, each rule with one condition broken, and whether `rules explain`
names that condition. Run by test_explain.py, and by hand over all there is:

    CORPORA_DIR=~/.cache/haidang-corpora python tests/rules_bench/pairs.py
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from breaking import Broken, broken  # noqa: E402  # found beside this file

from sensor._engine import EngineError, Replay, Ruleset, explain  # noqa: E402
from sensor.config import Config  # noqa: E402
from sensor.config import load as load_config  # noqa: E402
from sensor.rules.explaining import failed_condition  # noqa: E402
from sensor.rules.findings import RuleReport  # noqa: E402
from sensor.rules.loading import read_files  # noqa: E402

if TYPE_CHECKING:
    from sensor._engine import RawRule

CONFIG = ROOT / "tests/shipped/replay.yaml"
ANYWHERE = ("vars.address-groups.HOME_NET=any", "vars.address-groups.EXTERNAL_NET=any")
"""Settings for captures from many networks."""
SHIPPED = (sorted((ROOT / "rules").glob("*.rules")), sorted((ROOT / "pcaps").glob("*.pcap*")))
MAX_CAPTURE_BYTES = 3_000_000  # larger ones say nothing that smaller ones do not
ALERTS_MAX = 20  # of one rule on one capture: what of many is broken is not told apart
PAIRS_MAX = 1500
NAMED_MIN = 0.95
_SETS = ("flowbits", "xbits", "hostbits", "flowint")


@dataclass
class Tally:
    """What came of the pairs."""

    pairs: int = 0
    named: int = 0
    unequal: list[str] = field(default_factory=list)
    disagreements: int = 0
    missed: list[str] = field(default_factory=list)
    by_kind: Counter[str] = field(default_factory=Counter)


def alerts(config: Config, ruleset: Ruleset, capture: Path) -> Counter[tuple[int | None, int]]:
    """Alerts of a plain replay, by flow and sid."""
    replay = Replay(config.engine_json(), ruleset, [str(capture)], 1)
    seen: Counter[tuple[int | None, int]] = Counter()
    while True:
        batch = replay.next_batch(0.25)
        if batch is not None:
            for line in batch.data.splitlines():
                event = json.loads(line)
                if event["event_type"] == "alert":
                    seen[event.get("flow_id"), event["alert"]["signature_id"]] += 1
        elif replay.finished:
            return seen


def sid_of(rule: RawRule) -> int:
    return next((int(value or 0) for keyword, value, *_ in rule[9] if keyword == "sid"), 0)


def _bits(rule: RawRule, commands: Sequence[str]) -> set[str]:
    found = set()
    for keyword, value, *_ in rule[9]:
        if keyword in _SETS and value:
            parts = [part.strip() for part in value.split(",")]
            if keyword == "flowint" or parts[0] in commands:
                found |= set(parts[0 if keyword == "flowint" else 1].split("|") if len(parts) > 1 else [])
    return found


def _company(rule: RawRule, rules: Sequence[RawRule]) -> list[RawRule]:
    """The rules without which this one cannot match: those that set what it, or one of them, asks for."""
    company: list[RawRule] = []
    wanted = _bits(rule, ("isset", "isnotset"))
    for _ in range(3):
        more = [
            other
            for other in rules
            if other not in company
            and other is not rule
            and wanted & _bits(other, ("set", "toggle", "unset"))
        ]
        company += more
        wanted = {bit for other in more for bit in _bits(other, ("isset", "isnotset"))}
    return company[:200]


def pairs(
    rules: Sequence[RawRule], captures: Sequence[Path], config: Config
) -> Iterator[tuple[RawRule, Path]]:
    """Each rule with one capture on which it alerts, few times."""
    ruleset = Ruleset.compile(config.engine_json(), rules)
    by_sid = {sid_of(rule): rule for rule in rules}
    done: set[int] = set()
    for capture in captures:
        counts: Counter[int] = Counter()
        for (_, sid), count in alerts(config, ruleset, capture).items():
            counts[sid] += count
        for sid, count in sorted(counts.items()):
            if sid in by_sid and sid not in done and count <= ALERTS_MAX:
                done.add(sid)
                yield by_sid[sid], capture


def judge(
    rule: RawRule, capture: Path, company: list[RawRule], config: Config, tally: Tally, limit: int
) -> None:
    """Every way to break the rule, on the capture."""
    sid = sid_of(rule)
    whole = Ruleset.compile(config.engine_json(), [*company, rule])
    before = {flow for (flow, found), _ in alerts(config, whole, capture).items() if found == sid}
    _equal(whole, sid, capture, config, tally, "unbroken")
    for case in broken(rule):
        if tally.pairs >= limit:
            return
        try:
            ruleset = Ruleset.compile(config.engine_json(), [*company, case.rule])
        except EngineError:
            continue
        if any(d.sid == sid and d.severity != "warning" for d in ruleset.diagnostics):
            continue  # cannot be broken so
        report = _equal(ruleset, sid, capture, config, tally, case.what)
        after = {flow["flow_id"] for flow in report["flows"] if flow["alerts"]}
        for flow in report["flows"]:
            if flow["flow_id"] in before - after:
                tally.pairs += 1
                kind = case.what
                tally.by_kind[kind] += 1
                said = _named(case, flow)
                if said == "":
                    tally.named += 1
                else:
                    tally.missed.append(f"{sid} {capture.name} {flow['flow_id']} {case.what}: {said}")
                break


def _equal(
    ruleset: Ruleset, sid: int, capture: Path, config: Config, tally: Tally, what: str
) -> dict[str, Any]:
    """The report, after a look at whether it says `match` of those flows where a replay alerts."""
    report = json.loads(explain(config.engine_json(), ruleset, 1, sid, [str(capture)])[0])
    seen = {flow: n for (flow, found), n in alerts(config, ruleset, capture).items() if found == sid}
    told = {flow["flow_id"]: flow["alerts"] for flow in report["flows"] if flow["alerts"]}
    matches = {flow["flow_id"] for flow in report["flows"] if flow["verdict"] == "match"}
    if told != seen or matches != set(seen) or (report["verdict"] == "match") != bool(seen):
        tally.unequal.append(f"{sid} {capture.name} {what}: told {told}, replay {seen}")
    if report["disagreements"]:
        tally.disagreements += 1
        tally.unequal.append(f"{sid} {capture.name} {what}: conditions and detection disagree")
    return report  # type: ignore[no-any-return]  # JSON


def _named(case: Broken, flow: dict[str, Any]) -> str:
    """Nothing when the flow's report names what was broken, else what it names."""
    if case.held:
        return "" if case.held in flow["held_back"] else f"held back: {flow['held_back']}"
    condition = failed_condition(flow)
    if condition is None:
        return f"no condition, {flow['verdict']}"
    if case.part:
        return "" if condition["keyword"] == case.part else f"{condition['keyword']} {condition['text']}"
    said = f"{condition['keyword']} {condition['text']} at {flow['nearest']['pcap_cnt']}"
    return "" if set(condition["options"]) & case.options else said


def run(
    rule_files: Sequence[Path],
    captures: Sequence[Path],
    limit: int,
    tally: Tally,
    *,
    every: int = 1,
    settings: Sequence[str] = (),
) -> Tally:
    """Pairs out of these rules and captures, up to so many in the tally; `every`: of how many rules one."""
    config = load_config(CONFIG, list(settings))
    config.tree["default-log-dir"] = os.devnull
    rules = list(read_files(rule_files, config, RuleReport(), set()))
    for number, (rule, capture) in enumerate(pairs(rules, captures, config)):
        if tally.pairs >= limit:
            break
        if number % every == 0:
            judge(rule, capture, _company(rule, rules), config, tally, limit)
    return tally


def main() -> int:
    """Tells what came of all pairs; with --strict the exit code is 1 when they are not as they should be."""
    good = _tell("shipped", run(*SHIPPED, PAIRS_MAX, Tally()))
    corpora = os.environ.get("CORPORA_DIR")
    if corpora:
        captures = [
            path
            for path in sorted(Path(corpora, "pcaps").rglob("*.pcap*"))
            if path.stat().st_size <= MAX_CAPTURE_BYTES
        ]
        names = ("etopen-composite", "oisf-events", "oisf-trafficid", "tgreen-hunting", "malcolm-ot")
        files = [Path(corpora, "rules", f"{name}.rules") for name in names]
        good &= _tell("corpora", run(files, captures, PAIRS_MAX, Tally(), settings=ANYWHERE))
    return 0 if good or "--strict" not in sys.argv else 1


def _tell(name: str, tally: Tally) -> bool:
    share = tally.named / tally.pairs if tally.pairs else 1.0
    print(f"{name}: {tally.pairs} pairs, {tally.named} named ({share:.1%}), {len(tally.unequal)} unequal")
    for line in tally.unequal:
        print("  unequal", line)
    for line in tally.missed:
        print("  missed", line)
    print("  " + ", ".join(f"{count} {kind}" for kind, count in tally.by_kind.most_common()))
    return not tally.unequal and share >= NAMED_MIN


if __name__ == "__main__":
    sys.exit(main())
