"""Configuration: YAML in suricata.yaml's shape, the defaults below it, `--set` above it, and the engine's
document.

`load` is the way in. Known keys become typed values (table: `sensor.config.schema`), unknown ones are listed,
a value that cannot be used is a UserError with its path. This module must not start anything or read rules.
"""

from __future__ import annotations

import copy
import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from sensor.config import overrides, side_files
from sensor.config.eve_schema import EVE_DEFAULTS
from sensor.config.matching import Match, match
from sensor.config.reading import Document, KeyPath, Tree, read
from sensor.config.values import Json
from sensor.errors import UserError
from sensor.rules.variables import VariableError, Variables

__all__ = ["Config", "load", "shipped_rules_folder"]

DEFAULTS = Path(__file__).parent.parent / "defaults.yaml"
CHECKSUM_MODES = {"yes": "all", "no": "none", "auto": "auto"}

_NOT_FOR_THE_ENGINE = frozenset({"af-packet", "rule-files"})


@dataclass
class Config:
    """A configuration ready for use.

    tree: typed values in suricata.yaml's shape (sizes in bytes, booleans as booleans, choices as text).
    unknown: paths this build does not know. without_effect: known paths that do nothing here, with the
    reason.
    """

    tree: dict[str, Json]
    path: Path | None = None
    warnings: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    without_effect: list[tuple[str, str]] = field(default_factory=list)
    checksum_mode: str = "auto"
    _engine_json: str = ""

    def get(self, path: str, default: Json = None) -> Json:
        """The value at a dotted path (`stream.memcap`, `outputs.1.eve-log.filename`), or the default."""
        here: Json = self.tree
        for step in path.split("."):
            if isinstance(here, list) and step.isdigit() and int(step) < len(here):
                here = here[int(step)]
            elif isinstance(here, dict) and step in here:
                here = here[step]
            else:
                return default
        return here

    def text(self, path: str, default: str = "") -> str:
        """The value at a dotted path as text."""
        value = self.get(path)
        return default if value is None else str(value)

    @property
    def variables(self) -> Variables:
        """The address and port groups that rules name with `$`."""
        groups = (self.get("vars.address-groups"), self.get("vars.port-groups"))
        addresses, ports = (cast(dict[str, str], group or {}) for group in groups)
        return Variables(addresses, ports)

    def outputs(self, name: str) -> list[dict[str, Json]]:
        """The enabled entries of `outputs` of this name (`fast`, `eve-log`), in order."""
        found = []
        for entry in cast(list[dict[str, Json]], self.get("outputs") or []):
            section = entry.get(name)
            if isinstance(section, dict) and section.get("enabled", True):
                found.append(section)
        return found

    def eve_types(self) -> dict[str, dict[str, Json]]:
        """The event types to make, with their options: the union over every enabled eve-log, the first one's
        options first. The defaults of options that are not given are filled in."""
        union: dict[str, dict[str, Json]] = {}
        for output in self.outputs("eve-log"):
            for name, options in output_types(output).items():
                union.setdefault(name, {**EVE_DEFAULTS.get(name, {}), **options})
        if self.get("stats.enabled") is False:
            union.pop("stats", None)
        return union

    def log_dir(self) -> Path:
        """Where output files go."""
        return Path(self.text("default-log-dir", "."))

    def rule_patterns(self) -> list[str]:
        """`rule-files` with default-rule-path before relative ones; the shipped rules when there is no
        rule-files.
        """
        files = self.get("rule-files")
        if files is None:
            return [str(shipped_rules_folder() / "**" / "*.rules")]
        folder = Path(self.text("default-rule-path", "."))
        return [str(folder / str(name)) for name in cast(list[Json], files)]

    def engine_json(self) -> str:
        """The engine's document: this tree, and beside it what comes from other files. Made once, on first
        use.
        """
        if not self._engine_json:
            self._engine_json = json.dumps(self.engine_document(), ensure_ascii=False)
        return self._engine_json

    def engine_document(self) -> dict[str, Json]:
        """What engine_json writes."""
        document = {name: value for name, value in self.tree.items() if name not in _NOT_FOR_THE_ENGINE}
        first_eve = next(iter(self.outputs("eve-log")), {})
        eve = {
            name: value for name, value in first_eve.items() if name not in ("types", "filename", "enabled")
        }
        threshold_file = self.text("threshold-file")
        document |= {
            "checksum-mode": self.checksum_mode,
            "sensor-name": self.text("sensor-name"),
            "eve": eve,
            "eve-types": cast(Json, self.eve_types()),
            "classification": cast(
                Json, side_files.classifications(self._side_file("classification"), self.warnings)
            ),
            "references": cast(Json, side_files.references(self._side_file("reference"), self.warnings)),
            "threshold-config": cast(
                Json,
                [
                    [number, self._without_variables(text)]
                    for number, text in side_files.thresholds(Path(threshold_file), self.warnings)
                ]
                if threshold_file
                else [],
            ),
        }
        return document

    def _without_variables(self, directive: str) -> str:
        """A line of threshold.config with `ip $HOME_NET` written out."""
        head, found, expression = directive.partition("$")
        if not found:
            return directive
        head, keyword, begun = head.rpartition("ip ")
        try:
            return head + keyword + self.variables.address(begun + found + expression)
        except VariableError as error:
            self.warnings.append(f"threshold-file: {directive}: {error.reason}; {error.fix}")
            return directive

    def _side_file(self, name: str) -> Path:
        key = {"classification": "classification-file", "reference": "reference-config-file"}[name]
        shipped = shipped_rules_folder() / f"{name}.config"
        given = self.text(key)
        if given and not Path(given).is_file():
            self.warnings.append(f"{key}: {given} is not there; {shipped.name} of the shipped rules is used")
            return shipped
        return Path(given) if given else shipped


def load(path: Path | None = None, settings: Sequence[str] = (), *, checksums: str = "") -> Config:
    """Defaults, then the file, then each `name=value` of settings, checked and typed.

    checksums: `all` or `none` as -k gives it, or "" for what the configuration says. Raises UserError.
    """
    given = read(path) if path is not None else Document()
    merged = _merge(copy.deepcopy(_defaults().tree), given.tree)
    warnings = list(given.warnings)
    set_paths: list[KeyPath] = []
    for text in settings:
        key, value = overrides.parse(text)
        refusal = overrides.apply(merged, key, value)
        if refusal is not None:
            warnings.append(f"--set {text}: {refusal}; left out")
        else:
            set_paths.append(key)
    matched = match(merged)
    _refuse_errors(matched, given, set_paths)
    config = Config(
        tree=matched.tree,
        path=path,
        warnings=warnings,
        unknown=[".".join(at) for at in matched.unknown],
        without_effect=[(".".join(at), why) for at, why in matched.without_effect],
    )
    _expand_ports(config)
    _apply_checksum_mode(config, checksums)
    return config


def output_types(output: dict[str, Json]) -> dict[str, dict[str, Json]]:
    """The enabled types of one eve-log section; what Suricata writes by default when it names none."""
    types = output.get("types")
    if not isinstance(types, list):
        stock = Config(match(_defaults().tree).tree)
        types = stock.outputs("eve-log")[0]["types"]
    found: dict[str, dict[str, Json]] = {}
    for entry in cast(list[dict[str, Json]], types):
        for name, options in entry.items():
            if isinstance(options, dict) and options.get("enabled", True):
                found[name] = {key: value for key, value in options.items() if key != "enabled"}
    return found


def shipped_rules_folder() -> Path:
    """Where the shipped rules are: in the source tree, else in the share folder of the installation."""
    beside = Path(__file__).parents[2] / "rules"
    installed = Path(sys.prefix) / "share" / "haidang" / "rules"
    return installed if installed.is_dir() and not beside.is_dir() else beside


@functools.cache
def _defaults() -> Document:
    return read(DEFAULTS)


def _merge(below: Tree, above: Tree) -> Tree:
    """The tree above laid over the one below: sections merge, lists and values replace, empty values change
    nothing.
    """
    for name, value in above.items():
        old = below.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            _merge(old, value)
        elif value is not None or name not in below:
            below[name] = copy.copy(value) if isinstance(value, list) else value
    return below


def _refuse_errors(matched: Match, given: Document, set_paths: Sequence[KeyPath]) -> None:
    if not matched.errors:
        return
    at, reason = matched.errors[0]
    what, _, fix = reason.partition("; ")
    if at in set_paths:
        place = "--set "
    else:
        place = next(
            (f"{given.places[at[:n]]}: " for n in range(len(at), 0, -1) if at[:n] in given.places), ""
        )
    more = f"; {len(matched.errors) - 1} more such values" if len(matched.errors) > 1 else ""
    raise UserError(what + more, where=place + ".".join(at), fix=fix)


def _expand_ports(config: Config) -> None:
    """Replace $VARIABLES in the port expressions of decoders and protocols, which the engine sees without
    them.
    """
    variables = config.variables

    def expand(section: dict[str, Json], at: KeyPath) -> None:
        for name, value in section.items():
            if isinstance(value, dict):
                expand(value, (*at, name))
            elif isinstance(value, str) and (name == "ports" or (at and at[-1] == "detection-ports")):
                try:
                    bare = variables.port(value)
                except VariableError as error:
                    raise UserError(error.reason, where=".".join((*at, name)), fix=error.fix) from None
                section[name] = f"[{bare}]" if "," in bare and not bare.startswith("[") else bare

    for name in ("decoder", "app-layer"):
        expand(cast(dict[str, Json], config.tree.get(name) or {}), (name,))


def _apply_checksum_mode(config: Config, checksums: str) -> None:
    config.checksum_mode = checksums or CHECKSUM_MODES[config.text("pcap-file.checksum-checks", "auto")]
    if checksums:  # as in Suricata, -k decides for the stream engine too
        stream = cast(dict[str, Json], config.tree.setdefault("stream", {}))
        stream["checksum-validation"] = checksums == "all"
