"""Runs tests of rules in one process: rules that tests share are compiled once, captures that descriptions
make are kept, and tests run side by side.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sensor.bus.durable import write_whole
from sensor.config import Config
from sensor.config import load as load_config
from sensor.errors import UserError
from sensor.rules.loading import load
from sensor.rules.testing import traffic
from sensor.rules.testing.case import Case, read
from sensor.rules.testing.matching import Event, differences

if TYPE_CHECKING:
    from sensor._engine import Ruleset

WAIT_SECONDS = 0.25
MAX_SHOWN = 5  # events or differences told of one check


@dataclass
class Result:
    """What became of one test. failures: what was expected and what was seen, a line or more each."""

    name: str
    failures: list[str] = field(default_factory=list)
    error: str = ""
    skipped: str = ""
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        return not self.failures and not self.error


@dataclass
class Bench:
    """What tests share: the usual configuration, rules for tests without their own, compiled rules."""

    config: Path | None
    settings: Sequence[str]
    rules: list[Path]
    _made: dict[str, tuple[Config, Ruleset, list[str]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def prepare(self, case: Case) -> tuple[Config, Ruleset, list[str]]:
        """The configuration, the rules, and what is wrong with them; made once for all that use the same."""
        key = json.dumps(
            [str(case.config), case.settings, case.checksums, [str(path.resolve()) for path in case.rules]]
        )
        with self._lock:
            if key not in self._made:
                self._made[key] = self._make(case)
            return self._made[key]

    def _make(self, case: Case) -> tuple[Config, Ruleset, list[str]]:
        path = case.config or self.config
        config = load_config(path, [*self.settings, *case.settings], checksums=case.checksums)
        config.tree["default-log-dir"] = tempfile.gettempdir()
        if not case.rules:
            config.tree["rule-files"] = []
        ruleset, report = load(config, only=[str(path) for path in case.rules])
        return config, ruleset, [str(finding) for finding in report.findings if finding.severity == "error"]


def run(folders: Sequence[Path], bench: Bench, *, jobs: int) -> Iterator[Result]:
    """The results in the order of the folders, each as soon as it and those before it are there."""
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        yield from pool.map(lambda folder: _run_one(folder, bench), folders)


def _run_one(folder: Path, bench: Bench) -> Result:
    begin = time.monotonic()
    result = Result(str(folder))
    try:
        case = read(folder, bench.rules)
        if case.skip:
            result.skipped = case.skip
        else:
            config, ruleset, refused = bench.prepare(case)
            result.failures += [f"the rule does not load: {finding}" for finding in refused]
            events = replay(config, ruleset, capture_of(case))
            result.failures += _judge(case, events)
    except UserError as error:
        result.error = str(error)
    except OSError as error:
        result.error = f"{error.filename or folder}: {error.strerror or error}"
    result.seconds = time.monotonic() - begin
    return result


def capture_of(case: Case) -> Path:
    """The capture of a test; one that is described is made once and kept in the user's cache."""
    if case.capture is not None:
        return case.capture
    text = json.dumps([traffic.VERSION, case.traffic], sort_keys=True, default=str)
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "haidang" / "traffic"
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()}.pcap"
    if not path.is_file():
        content = traffic.capture(case.traffic or [], str(case.folder / "test.yaml"))
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    return path


def replay(config: Config, ruleset: Ruleset, capture: Path) -> list[Event]:
    """Every event of a capture. Raises UserError when it cannot be read."""
    from sensor._engine import EngineError, Replay

    decode = msgspec.json.Decoder().decode
    events: list[Event] = []
    try:
        engine = Replay(config.engine_json(), ruleset, [str(capture)], 1)
        while True:
            batch = engine.next_batch(WAIT_SECONDS)
            if batch is not None:
                events += [decode(line) for line in batch.data.splitlines()]
            elif engine.finished:
                return events
    except EngineError as error:
        raise UserError(str(error), where=capture) from None


def _judge(case: Case, events: list[Event]) -> Iterator[str]:
    if case.alerts is not None:
        seen = Counter(
            event["alert"]["signature_id"] for event in events if event.get("event_type") == "alert"
        )
        wanted = Counter(case.alerts)
        for sid in sorted(seen.keys() | wanted.keys()):
            if seen[sid] != wanted[sid]:
                yield f"alerts of sid {sid}: expected {wanted[sid]}, got {seen[sid]}"
    if case.stats:
        last: Event = next(
            (event["stats"] for event in reversed(events) if event["event_type"] == "stats"), {}
        )
        for wanted_stats in case.stats:
            yield from (f"stats: {line}" for line in differences(last, wanted_stats))
    for wanted_filter in case.filters:
        yield from _judge_filter(wanted_filter, events)


def _judge_filter(check: Any, events: list[Event]) -> Iterator[str]:
    wanted, count = check["match"], check["count"]
    gaps = [(differences(event, wanted), event) for event in events]
    got = sum(not gap for gap, _ in gaps)
    if got == count:
        return
    lines = [f"events with {wanted}: expected {count}, got {got}"]
    if got < count:
        nearest = sorted(
            (len(gap), n) for n, (gap, event) in enumerate(gaps) if gap and _same_type(event, wanted)
        )
        for _, n in nearest[:1]:
            lines += [f"  nearest, {_brief(gaps[n][1])}", *(f"    {line}" for line in gaps[n][0][:MAX_SHOWN])]
    else:
        lines += [f"  {_brief(event)}" for gap, event in gaps if not gap][:MAX_SHOWN]
    yield "\n".join(lines)


def _same_type(event: Event, wanted: Any) -> bool:
    return "event_type" not in wanted or event.get("event_type") == wanted["event_type"]


def _brief(event: Event) -> str:
    about = event.get("alert", {}).get("signature") or event.get("app_proto") or ""
    source, destination = (
        f"{event.get(f'{side}_ip', '')}:{event.get(f'{side}_port', '')}" for side in ("src", "dest")
    )
    return f"{event.get('event_type')} {source} > {destination} {about}".rstrip()
