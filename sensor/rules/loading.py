"""Rules from files to a compiled ruleset, with a report of what became of every one.

The order of things: find the files, read and cut their text, drop duplicates, compile in the engine. What a
rule does is not known here.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.config import Config
from sensor.errors import UserError
from sensor.rules import sources, text
from sensor.rules.findings import Finding, RuleReport, from_engine

if TYPE_CHECKING:
    from sensor._engine import RawRule, Ruleset


def load(
    config: Config,
    *,
    only: Sequence[str] = (),
    extra: Sequence[str] = (),
    validate_only: bool = False,
    read: list[RawRule] | None = None,
) -> tuple[Ruleset, RuleReport]:
    """The ruleset of the configured rules; `only` replaces them (-S), `extra` comes on top (-s); both are
    file patterns.

    validate_only: check each rule, and leave out what only detection needs. read: gets the rules as they were
    given to the engine. Raises UserError for files of
    `only` and `extra` that cannot be read; configured ones are warnings.
    """
    from sensor._engine import Ruleset

    report = RuleReport()
    signed: dict[Path, str] = {}
    if only:
        files = sources.find(only)
    elif publisher := config.text("haidang.rules-publisher"):
        signed = _signed(config.rule_patterns(), Path(publisher))
        files = list(signed)
    else:
        files = sources.find(config.rule_patterns(), report.warnings)
    named = sources.find(extra)
    required = set(named) | (set(files) if only or signed else set())
    rules = read_files(dict.fromkeys([*files, *named]), config, report, required, signed)
    rules = without_duplicates(rules, report.findings)
    if read is not None:
        read += rules
    ruleset = Ruleset.compile(config.engine_json(), rules, validate_only)
    for finding in from_engine(ruleset.diagnostics):
        if finding.severity == "warning" and not finding.sid:  # about a line of threshold.config, no rule
            where = f"{finding.file}:{finding.line}"
            report.warnings.append(f"{where}: {finding.reason}; {finding.fix}")
        else:
            report.findings.append(finding)
    report.loaded = ruleset.loaded
    report.count()
    return ruleset, report


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
    files: dict[Path, None],
    config: Config,
    report: RuleReport,
    required: set[Path],
    signed: Mapping[Path, str] = MappingProxyType({}),
) -> list[RawRule]:
    """The rules of the files in order. An unreadable file is a UserError if required, else a warning.

    signed: the SHA-256 that these files must have at the moment they are read.
    """
    variables = config.variables
    rules: list[RawRule] = []
    with no_cycles_made():
        for path in files:
            try:
                data = sources.read(path)
            except UserError as error:
                if path in required:
                    raise
                report.warnings.append(str(error))
                continue
            if path in signed and hashlib.sha256(data).hexdigest() != signed[path]:
                raise UserError("is not what was signed", where=path, fix="fetch the bundle again")
            found = text.parse(data, str(path), variables)
            rules += found.rules
            report.findings += found.findings
            report.names.append(str(path))
    return rules


def without_duplicates(rules: list[RawRule], findings: list[Finding]) -> list[RawRule]:
    """Of rules with the same gid and sid, the one with the highest rev, else the first, as Suricata keeps
    them.
    """
    kept: dict[tuple[str, str], tuple[int, int]] = {}  # (gid, sid) -> (index, rev)
    dropped: set[int] = set()
    for index, rule in enumerate(rules):
        facts = {option[0]: option for option in rule[9] if option[0] in ("sid", "gid", "rev")}
        if "sid" not in facts:
            continue
        identity = (_value(facts, "gid", "1"), _value(facts, "sid", ""))
        rev = _whole(_value(facts, "rev", "0"))
        earlier = kept.setdefault(identity, (index, rev))
        if earlier[0] == index:
            continue
        loser, winner = (index, earlier[0]) if rev <= earlier[1] else (earlier[0], index)
        kept[identity] = (winner, max(rev, earlier[1]))
        dropped.add(loser)
        findings.append(_duplicate(rules[loser], rules[winner], is_older=loser != index))
    return [rule for index, rule in enumerate(rules) if index not in dropped] if dropped else rules


def _duplicate(loser: RawRule, winner: RawRule, *, is_older: bool) -> Finding:
    sid = next(option for option in loser[9] if option[0] == "sid")
    where = f"{winner[0]}:{winner[1]}"
    reason = f"replaced by a higher rev at {where}" if is_older else f"duplicate of the rule at {where}"
    fix = "remove one of the two, or give it a sid of its own"
    return Finding(
        loser[0], sid[2], sid[3], "warning" if is_older else "error", _whole(sid[1] or ""), "sid", reason, fix
    )


def _value(facts: dict[str, tuple[str, str | None, int, int]], name: str, default: str) -> str:
    option = facts.get(name)
    return default if option is None or option[1] is None else option[1]


def _whole(value: str) -> int:
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 10 else 0


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
