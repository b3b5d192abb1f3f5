"""Rules from files to a compiled ruleset, with a report of what became of every one.

The order of things: find the files, read and cut their text, compile in the engine; or take what an earlier
run made of the same files. What a rule does is not known here.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.config import Config
from sensor.errors import UserError
from sensor.rules import cache, sources, text
from sensor.rules.findings import RuleReport, from_engine, from_text, to_text

if TYPE_CHECKING:
    from sensor._engine import RawRules, Ruleset, RulesetCache


def load(
    config: Config, *, only: Sequence[str] = (), extra: Sequence[str] = (), validate_only: bool = False
) -> tuple[Ruleset, RuleReport]:
    """The ruleset of the configured rules; `only` replaces them (-S), `extra` comes on top (-s); both are
    file patterns.

    validate_only: check each rule, and leave out what only detection needs. Raises UserError for files of
    `only` and `extra` that cannot be read; configured ones are warnings.
    """
    from sensor._engine import Ruleset

    report = RuleReport()
    files = sources.find(only) if only else sources.find(config.rule_patterns(), report.warnings)
    named = sources.find(extra)
    required = set(named) | (set(files) if only else set())
    files = list(dict.fromkeys([*files, *named]))
    kept = None if validate_only else cache.of(config, files)
    ruleset = None
    if kept is not None:
        ruleset = kept.load(config.engine_json(), [str(path) for path in files], sources.MAX_FILE_BYTES)
        report.warnings += kept.warnings
    if ruleset is not None:
        report.files = len(files)
        report.findings += from_text(ruleset.findings)
    else:
        rules = read_files(files, config, report, required, kept)
        if report.files < len(files):
            kept = None  # a file may be back at the next start
        found = to_text(report.findings) if kept is not None else ""
        ruleset = Ruleset.compile(config.engine_json(), rules, validate_only, kept, found)
        if kept is not None and kept.not_kept and cache.is_asked_for(config):
            report.warnings.append(f"haidang.rule-cache.directory: nothing is kept: {kept.not_kept}")
    for finding in from_engine(ruleset.diagnostics):
        if finding.severity == "warning" and not finding.sid:  # about a line of threshold.config, no rule
            where = f"{finding.file}:{finding.line}"
            report.warnings.append(f"{where}: {finding.reason}; {finding.fix}")
        else:
            report.findings.append(finding)
    report.loaded = ruleset.loaded
    report.count()
    return ruleset, report


def read_files(
    files: Sequence[Path],
    config: Config,
    report: RuleReport,
    required: set[Path],
    kept: RulesetCache | None = None,
) -> RawRules:
    """The rules of the files in order. An unreadable file is a UserError if required, else a warning."""
    from sensor._engine import RawRules

    variables = config.variables
    rules = RawRules(sum(map(sources.size, files)))
    with _no_cycles_made():
        for path in files:
            try:
                data = sources.read(path)
            except UserError as error:
                if path in required:
                    raise
                report.warnings.append(str(error))
                continue
            if kept is not None:
                kept.add(str(path), data)
            found = text.parse(data, str(path), variables, report.findings)
            del data  # now held by the parser alone
            rules.add(found)
            report.files += 1
    return rules


@contextmanager
def _no_cycles_made() -> Iterator[None]:
    """Millions of tuples, none in a cycle: the cyclic collector would look for some all the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
