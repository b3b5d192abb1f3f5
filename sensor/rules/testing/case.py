"""One test: its folder read and checked. It must not run anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sensor.errors import UserError, from_os_error

FILE = "test.yaml"
MAX_BYTES = 1 << 20
_CAPTURES = (".pcap", ".pcapng", ".cap")
_KEYS = frozenset(
    (
        "requires",
        "skip",
        "pcap",
        "args",
        "checks",
        "count",
        "traffic",
        "alerts",
        "rules",
        "comment",
        "description",
    )
)
_FILTER_KEYS = frozenset({"count", "match", "filename", "requires"})


@dataclass
class Case:
    """A test as its folder says. rules: none for a test of protocol events. capture: None with a traffic
    script. alerts: sid to count, and no other may fire; None when test.yaml does not say. skip: why it is not
    run.
    """

    name: str
    folder: Path
    rules: list[Path]
    capture: Path | None
    traffic: list[Any] | None
    config: Path | None
    settings: list[str] = field(default_factory=list)
    checksums: str = ""
    filters: list[Mapping[str, Any]] = field(default_factory=list)
    stats: list[Mapping[str, Any]] = field(default_factory=list)
    alerts: dict[int, int] | None = None
    skip: str = ""


def find(paths: Iterable[Path]) -> list[Path]:
    """The folders below these with a test.yaml, sorted. Raises UserError for a path without any."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.name == FILE and path.is_file():
            path = path.parent
        below = sorted(file.parent for file in path.rglob(FILE)) if path.is_dir() else []
        if not below:
            raise UserError(f"no {FILE} there", where=path, fix="make one with `haidang rules new`")
        found.update(dict.fromkeys(below))
    return list(found)


def read(folder: Path, rules: list[Path]) -> Case:
    """The test of a folder. rules: those to use when the folder has none of its own. Raises UserError."""
    where = folder / FILE
    try:
        with where.open("rb") as file:
            document = yaml.safe_load(file.read(MAX_BYTES)) or {}
    except OSError as error:
        raise from_os_error(error, where=where) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"no YAML: {error}", where=where) from None
    if not isinstance(document, dict):
        raise UserError("is not a mapping", where=where, fix="see the guide for its form")
    unknown = sorted(str(key) for key in document.keys() - _KEYS)
    if unknown:
        raise UserError(f"unknown key {unknown[0]!r}", where=where, fix=f"known: {', '.join(sorted(_KEYS))}")
    own = [folder / str(name) for name in _list(document.get("rules"))] or sorted(folder.glob("*.rules"))
    usual = folder / "suricata.yaml"
    case = Case(
        name=str(folder), folder=folder, rules=own or rules, capture=None, traffic=document.get("traffic"),
        config=usual if usual.is_file() else None,
    )  # fmt: skip
    case.skip = _why_skipped(document, where)
    _read_arguments(case, _list(document.get("args")), where)
    _read_checks(case, document, where)
    if not (case.filters or case.stats or case.skip) and case.alerts is None:
        if not document.get("checks"):
            raise UserError("checks nothing", where=where, fix="add alerts: {SID: COUNT} or checks:")
        case.skip = "none of its checks is for this build"
    if case.traffic is None:
        case.capture = _capture(folder, document.get("pcap"), where)
    elif not isinstance(case.traffic, list):
        raise UserError("traffic is not a list", where=where, fix="begin each item with -")
    return case


def _capture(folder: Path, named: Any, where: Path) -> Path:
    if named:
        path = folder / str(named)
        if not path.is_file():
            raise UserError("there is no such capture", where=path, fix=f"mend pcap in {where}")
        return path
    found = sorted(path for path in folder.iterdir() if path.suffix in _CAPTURES)
    if len(found) != 1:
        raise UserError(
            f"{len(found)} captures beside it", where=where, fix="name one with pcap:, or write traffic:"
        )
    return found[0]


def _read_arguments(case: Case, arguments: list[Any], where: Path) -> None:
    words = [word for argument in arguments for word in str(argument).split()]
    while words:
        word = words.pop(0)
        name, _, value = word.partition("=")
        if word in ("-k", "--set", "-S", "--runmode", "-c") and not words:
            raise UserError(f"{word} lacks its value", where=where)
        if word == "-k":
            case.checksums = words.pop(0)
        elif word == "--set":
            case.settings.append(words.pop(0))
        elif name == "--set":
            case.settings.append(value)
        elif word == "-S":
            case.rules = [case.folder / words.pop(0)]
        elif word == "-c":
            case.config = case.folder / words.pop(0)
        elif word == "--no-random":
            case.settings.append("stream.reassembly.randomize-chunk-size=no")
        elif word == "--runmode":
            words.pop(0)
        elif name not in ("--runmode", "--simulate-ips", "-v", "-vv", "-vvv"):
            raise UserError(f"args: {word} is not known here", where=where, fix="use -k, --set, -S or -c")


def _read_checks(case: Case, document: Mapping[str, Any], where: Path) -> None:
    alerts = document.get("alerts")
    if alerts is not None:
        try:
            case.alerts = {int(sid): int(count) for sid, count in dict(alerts).items()}
        except (TypeError, ValueError):
            raise UserError("alerts is not SID: COUNT", where=where, fix="write alerts: {1: 2}") from None
    for check in _list(document.get("checks")):
        if not isinstance(check, dict) or len(check) != 1:
            raise UserError("a check has not one kind", where=where, fix="write - filter: {count, match}")
        kind, body = next(iter(check.items()))
        if kind == "stats" and isinstance(body, dict):
            case.stats.append(body)
            continue
        if kind != "filter":  # shell and file-compare run commands of whoever wrote the test
            raise UserError(f"checks of kind {kind!r} are not run", where=where, fix="use filter or stats")
        if not isinstance(body, dict) or not isinstance(body.get("match"), dict) or "count" not in body:
            raise UserError("a filter lacks count or match", where=where)
        if body.keys() - _FILTER_KEYS:
            raise UserError(f"unknown key in a filter: {sorted(body.keys() - _FILTER_KEYS)[0]}", where=where)
        if not _why_not(body.get("requires"), where):
            case.filters.append(body)


def _why_skipped(document: Mapping[str, Any], where: Path) -> str:
    if document.get("skip"):
        first = _list(document["skip"])[0]
        return str(first.get("msg", "skip")) if isinstance(first, dict) else "skip"
    return _why_not(document.get("requires"), where)


def _why_not(requires: Any, where: Path) -> str:
    """Why a test or check with these requirements is not for this build, or nothing."""
    from sensor._engine import SURICATA_COMPAT

    if requires is not None and not isinstance(requires, dict):
        raise UserError("requires is not a mapping", where=where)
    ours = _version(SURICATA_COMPAT)
    for key, value in (requires or {}).items():
        if key == "min-version" and ours < _version(value):
            return f"needs version {value}"
        if key == "lt-version" and ours >= _version(value):
            return f"needs a version below {value}"
        if key not in ("min-version", "lt-version", "pcap"):
            return f"requires {key}"
    return ""


def _version(text: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", str(text))[:3])


def _list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
