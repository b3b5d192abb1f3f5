"""Rules from files to a compiled ruleset, with a report of what became of every one.

The order of things: find the files, read and cut their text, compile in the engine; or take what an earlier
run made of the same files. What a rule does is not known here.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.config import Config
from sensor.errors import UserError
from sensor.rules import cache, sources, text
from sensor.rules.findings import RuleReport, from_engine, from_text, to_text

if TYPE_CHECKING:
    from sensor._engine import InForce, RawRule, Ruleset, RulesetCache


def load(
    config: Config,
    *,
    only: Sequence[str] = (),
    extra: Sequence[str] = (),
    own: Sequence[str] = (),
    validate_only: bool = False,
    read: list[RawRule] | None = None,
    in_force: InForce | None = None,
) -> tuple[Ruleset, RuleReport]:
    """The ruleset of the configured rules; `only` replaces them (-S), `extra` comes on top (-s); both are
    file patterns. own: files with one rule each that are the sensor's own: no count knows of them.

    validate_only: check each rule, and leave out what only detection needs. read: gets the rules as they were
    read, without those that gave way to others of the same sid. in_force: what the ruleset is to replace in
    an engine that runs: it shares with it what is the same, and is made sparingly. Raises UserError for
    files of `only` and `extra` that cannot be read; configured ones are warnings.
    """
    from sensor._engine import return_memory

    if in_force is not None:
        return_memory()  # what the engine may do without, before much is taken
    report = RuleReport()
    signed: dict[Path, str] = {}
    if only:
        files = sources.find(only)
    elif publisher := config.text("haidang.rules-publisher"):
        signed = _signed(config.rule_patterns(), Path(publisher))
        files = list(signed)
    else:
        files = sources.find(config.rule_patterns(), report.warnings)
    named = sources.find([*extra, *own])
    required = set(named) | (set(files) if only or signed else set())
    files = list(dict.fromkeys([*files, *named]))
    kept = None if validate_only or read is not None else cache.of(config, files)
    ruleset = None if kept is None else _kept(kept, config, files, signed, report, in_force)
    if ruleset is None:
        ruleset = _compile(config, files, report, required, signed, kept, validate_only, read, in_force)
    for finding in from_engine(ruleset.diagnostics):
        if finding.severity == "warning" and not finding.sid:  # about a line of threshold.config, no rule
            where = f"{finding.file}:{finding.line}"
            report.warnings.append(f"{where}: {finding.reason}; {finding.fix}")
        else:
            report.findings.append(finding)
    report.loaded = ruleset.loaded - len(own)
    report.count()
    ruleset.tell_counts(report.loaded, report.quarantined, report.skipped)
    return_memory()  # building takes more than the ruleset does
    return ruleset, report


def _kept(
    kept: RulesetCache,
    config: Config,
    files: Sequence[Path],
    signed: Mapping[Path, str],
    report: RuleReport,
    in_force: InForce | None,
) -> Ruleset | None:
    """What an earlier run made of these files, if it is there and trusted."""
    names = [str(path) for path in files]
    if signed:  # only the bytes whose digest was signed may decide what is found
        for path in files:
            kept.add(str(path), _read(path, signed))
        ruleset = kept.load(config.engine_json(), None, sources.MAX_FILE_BYTES, in_force)
    else:
        ruleset = kept.load(config.engine_json(), names, sources.MAX_FILE_BYTES, in_force)
    report.warnings += kept.warnings
    if ruleset is not None:
        report.names += names
        report.findings += from_text(ruleset.findings)
    return ruleset


def _compile(
    config: Config,
    files: Sequence[Path],
    report: RuleReport,
    required: set[Path],
    signed: Mapping[Path, str],
    kept: RulesetCache | None,
    validate_only: bool,
    read: list[RawRule] | None,
    in_force: InForce | None,
) -> Ruleset:
    from sensor._engine import RawRules, Ruleset, return_memory

    rules = RawRules(sum(map(sources.size, files)))
    found: Iterable[RawRule] = read_files(files, config, report, required, signed, kept)
    with no_cycles_made():
        if read is not None:
            found = read[:] = list(found)
        rules.add(found)
    if report.files < len(files):
        kept = None  # a file may be back at the next start
    findings = to_text(report.findings) if kept is not None else ""
    return_memory()  # text takes more than what is read of it
    ruleset = Ruleset.compile(config.engine_json(), rules, validate_only, kept, findings, in_force)
    if read is not None:
        for number in sorted(ruleset.left_out, reverse=True):
            del read[number]
    if kept is not None and kept.not_kept and cache.is_asked_for(config):
        report.warnings.append(f"haidang.rule-cache.directory: nothing is kept: {kept.not_kept}")
    return ruleset


def _signed(folders: Sequence[str], publisher: Path) -> dict[Path, str]:
    """The rule files of bundles whose signatures hold, each with the SHA-256 that was signed. Raises
    UserError for anything else that `rule-files` names: with a publisher nothing unsigned is loaded.
    """
    from sensor.rules.update import bundle  # brings the cryptography, which others need not wait for

    public = bundle.load_public(publisher)
    found: dict[Path, str] = {}
    for folder in map(Path, folders):
        manifest = bundle.verify(folder, public)
        found |= {folder / file.name: file.sha256 for file in manifest.files if file.name.endswith(".rules")}
    return found


def read_files(
    files: Iterable[Path],
    config: Config,
    report: RuleReport,
    required: set[Path],
    signed: Mapping[Path, str] = MappingProxyType({}),
    kept: RulesetCache | None = None,
) -> Iterator[RawRule]:
    """The rules of the files in order. An unreadable file is a UserError if required, else a warning.

    signed: the SHA-256 that these files must have at the moment they are read. kept: is told what was read.
    """
    variables = config.variables
    for path in files:
        try:
            pieces = _read(path, signed)
        except UserError as error:
            if path in required:
                raise
            report.warnings.append(str(error))
            continue
        if kept is not None:
            kept.add(str(path), pieces)
        yield from text.each(pieces, str(path), variables, report.findings)
        report.names.append(str(path))


def _read(path: Path, signed: Mapping[Path, str]) -> list[bytes]:
    pieces = sources.read_pieces(path)
    if path in signed:
        import hashlib

        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece)
        if digest.hexdigest() != signed[path]:
            raise UserError("is not what was signed", where=path, fix="fetch the bundle again")
    return pieces


@contextmanager
def no_cycles_made() -> Iterator[None]:
    """Millions of tuples, none in a cycle: the cyclic collector would walk them again and again for a third
    of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
