"""One update, from sources to the new current bundle. Nothing in the output folder changes before all of it
is known to be good.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

import msgspec

from sensor.bus.durable import write_whole
from sensor.bus.keys import PublisherKeys, load_keys, save_keys
from sensor.config import Config
from sensor.errors import EXIT_FINDINGS, UserError
from sensor.rules import text
from sensor.rules.findings import from_engine
from sensor.rules.update import LEFT_OUT, MAX_LOSS_PERCENT, bundle, thresholds
from sensor.rules.update.fetch import Fetched, fetch
from sensor.rules.update.lines import Line, RuleId, one_of_each, read
from sensor.rules.update.merge import Merged, merge
from sensor.rules.update.tuning import Tuned, Tuning, apply, read_modifications, read_selectors

WORKING, BASE, QUARANTINE = "haidang.rules", "upstream.rules", "quarantine.txt"
THRESHOLDS, KEYS, PUBLIC, CACHE = "threshold.config", "publisher.keys", "publisher.pub", "cache"

_TOP = """\
# The rules of this place: what upstream sends and what you change here. Edit freely, one rule a line; the
# next `haidang rules update` merges. Sensors load current/, not this file.
"""


@dataclass
class Request:
    """What an update is asked to do. The files of tuning are None where there are none."""

    output: Path
    sources: Sequence[str]
    disable: Path | None = None
    enable: Path | None = None
    drop: Path | None = None
    modify: Path | None = None
    threshold: Path | None = None
    left_out: Sequence[str] = LEFT_OUT
    offline: bool = False
    force: bool = False
    max_loss_percent: float = MAX_LOSS_PERCENT
    prefer_theirs: bool = False


@dataclass
class Outcome:
    """What became of it. bundle: None when nothing changed."""

    manifest: bundle.Manifest | None = None
    bundle: Path | None = None
    tuned: Tuned = field(default_factory=Tuned)
    merged: Merged = field(default_factory=Merged)
    quarantined: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    has_new_keys: bool = False


def update(request: Request, config: Config) -> Outcome:
    """Fetch, tune, merge, try, sign. Raises UserError, and has changed nothing then but the cache."""
    outcome = Outcome()
    fetched = fetch(request.sources, request.output / CACHE, offline=request.offline)
    theirs = tune(fetched, request, outcome)
    ours = _lines_of(request.output / WORKING)
    base = _lines_of(request.output / BASE)
    if ours is None:
        outcome.merged.rules = dict(theirs)
    else:
        outcome.merged = merge(base or {}, ours, theirs, prefer_theirs=request.prefer_theirs)
    good, bad = _tried(outcome.merged.rules.values(), config, outcome.quarantined)
    files = {bundle.RULES: _written(good)}
    if request.threshold is not None:
        lines = thresholds.expand(request.threshold, outcome.merged.rules.values())
        files[THRESHOLDS] = "".join(f"{line}\n" for line in lines).encode()
    if bad:
        files[QUARANTINE] = "".join(f"{reason}\n" for reason in outcome.quarantined).encode()
    _refuse_loss(request, good)
    request.output.mkdir(parents=True, exist_ok=True)
    keys, outcome.has_new_keys = _keys(request.output)
    if not _is_current(request.output, files, keys):
        outcome.manifest = _manifest(request.output, fetched, good, len(bad), files, keys)
        outcome.bundle = bundle.write(request.output, outcome.manifest, files, keys)
    # The base last: after a crash before it, the next update merges once more, and finds the same.
    working = _TOP.encode() + _written(outcome.merged.rules.values())
    write_whole(request.output / WORKING, working, mode=0o644)
    write_whole(request.output / BASE, _written(theirs.values()), mode=0o644)
    return outcome


def tune(fetched: Fetched, request: Request, outcome: Outcome) -> dict[RuleId, Line]:
    """Upstream's rules with the four files applied."""
    remarks = outcome.remarks
    remarks += fetched.remarks
    tuning = Tuning()
    for path, selectors in (
        (request.disable, tuning.disable), (request.enable, tuning.enable), (request.drop, tuning.drop),
    ):  # fmt: skip
        if path is not None:
            selectors += read_selectors(path, remarks)
    if request.modify is not None:
        tuning.modify = read_modifications(request.modify)
    lines = (
        line
        for file in fetched.files
        if file.name.endswith(".rules")
        and not any(fnmatch(Path(file.name).name, pattern) for pattern in request.left_out)
        for line in read(file.content, file.name)
    )
    rules, twice = one_of_each(lines)
    outcome.tuned = apply(rules, tuning)
    remarks += [*twice, *outcome.tuned.remarks]
    return rules


def _tried(lines: Iterable[Line], config: Config, quarantined: list[str]) -> tuple[list[Line], list[Line]]:
    """The rules without those the engine refuses, and those; the reasons go to `quarantined`."""
    from sensor._engine import Ruleset

    lines = list(lines)
    found = text.parse(_written(lines), WORKING, config.variables)
    ruleset = Ruleset.compile(config.engine_json(), found.rules, True)
    findings = [*found.findings, *from_engine(ruleset.diagnostics)]
    refused = {finding.line: finding for finding in findings if finding.severity == "error"}
    good = [line for number, line in enumerate(lines, 1) if number not in refused]
    bad = []
    for number, finding in sorted(refused.items()):
        line = lines[number - 1]
        bad.append(line)
        about = f"{finding.keyword}: " if finding.keyword else ""
        quarantined.append(f"{line.name}: {about}{finding.reason}")
    return good, bad


def _refuse_loss(request: Request, good: Sequence[Line]) -> None:
    enabled = {line.id for line in good if line.is_enabled}
    if request.force:
        return
    again = "look at the sources and the four files, or add --force"
    if not enabled:
        raise UserError("no rule would be left", fix=again, exit_code=EXIT_FINDINGS)
    now = bundle.current(request.output)
    before = _lines_of(now / bundle.RULES) if now is not None else None
    had = {line.id for line in (before or {}).values() if line.is_enabled}
    lost = len(had - enabled)
    if had and 100 * lost > request.max_loss_percent * len(had):
        raise UserError(
            f"{lost:,} of {len(had):,} enabled rules would be lost, more than {request.max_loss_percent:g} %",
            fix=again, exit_code=EXIT_FINDINGS,
        )  # fmt: skip


def _manifest(
    folder: Path,
    fetched: Fetched,
    good: Sequence[Line],
    bad: int,
    files: dict[str, bytes],
    keys: PublisherKeys,
) -> bundle.Manifest:
    from sensor._engine import VERSION

    enabled = sum(line.is_enabled for line in good)
    return bundle.Manifest(
        format=bundle.FORMAT,
        number=max(bundle.numbers(folder), default=0) + 1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        publisher=keys.public().fingerprint,
        engine=VERSION,
        counts=bundle.Counts(enabled, len(good) - enabled, bad),
        files=[
            bundle.FileFact(name, hashlib.sha256(content).hexdigest(), len(content))
            for name, content in files.items()
        ],
        sources=[bundle.FileFact(**source) for source in fetched.sources],
    )


def _is_current(folder: Path, files: dict[str, bytes], keys: PublisherKeys) -> bool:
    """Whether the bundle in use holds just these files, and its signature holds."""
    now = bundle.current(folder)
    if now is None:
        return False
    try:
        manifest = bundle.verify(now, keys.public())
    except UserError:
        return False
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return {fact.name: fact.sha256 for fact in manifest.files} == digests


def _keys(folder: Path) -> tuple[PublisherKeys, bool]:
    """The publisher's keys, and whether they were made just now."""
    path = folder / KEYS
    is_new = not path.exists()
    if is_new:
        save_keys(path, PublisherKeys.generate())
    keys = load_keys(path, PublisherKeys)
    public = msgspec.json.format(msgspec.json.encode(keys.public())) + b"\n"
    write_whole(folder / PUBLIC, public, mode=0o644)
    return keys, is_new


def _lines_of(path: Path) -> dict[RuleId, Line] | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return one_of_each(read(content, path.name))[0]


def _written(lines: Iterable[Line]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
