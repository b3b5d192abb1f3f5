"""Exceptions from rules: made as lines of threshold.config, and tried first on what was seen.

What a suppression or limit does on captures is the engine's to say: it is asked with and without. Of alerts
that were written before only a suppression can be tried, by their addresses.
"""

from __future__ import annotations

import ipaddress
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sensor.bus.durable import write_whole
from sensor.config import Config
from sensor.config.exceptions import Note, today
from sensor.config.side_files import Directive, directives
from sensor.errors import UserError
from sensor.rules.comparing import Alerts, alerts_of
from sensor.rules.loading import load

TRACKS = ("src", "dst", "either")
EXAMPLES = 5
MAX_DAYS = 366 * 5  # an exception for longer is a change of the rule
_MAX_FILE_BYTES = 16 << 20


@dataclass(frozen=True)
class Wanted:
    """An exception: from which rule, for whom, and how far.

    address: an expression as in rules; '' with any. limit: (alerts, seconds) per tracked address instead of
    none at all.
    """

    gid: int
    sid: int
    track: str = ""
    address: str = ""
    limit: tuple[int, int] | None = None

    def directive(self) -> str:
        """The line of threshold.config."""
        rule = f"gen_id {self.gid}, sig_id {self.sid}"
        if self.limit is not None:
            count, seconds = self.limit
            return f"threshold {rule}, type limit, track by_{self.track}, count {count}, seconds {seconds}"
        where = f", track by_{self.track}, ip {self.address}" if self.address else ""
        return f"suppress {rule}{where}"


@dataclass
class Hidden:
    """What an exception would have hidden: of how many alerts of its rule how many, and which."""

    alerts: int = 0
    hidden: int = 0
    by_pair: Counter[str] = field(default_factory=Counter)

    def add(self, pair: str, count: int = 1) -> None:
        """Count alerts that would not have been seen."""
        self.hidden += count
        self.by_pair[pair] += count


def on_captures(
    config: Config, changed: Config, wanted: Wanted, only: Sequence[str], extra: Sequence[str],
    captures: Sequence[str], warnings: list[str],
) -> Hidden:  # fmt: skip
    """What the exception hides in captures. config, changed: without and with it. Raises UserError when the
    rule is not loaded or the engine refuses the exception.
    """
    found: list[Alerts] = []
    for which in (config, changed):
        ruleset, report = load(which, only=only, extra=extra)
        if which is config:
            warnings += report.remarks
        else:
            refused = [text for text in report.warnings if "write suppress, threshold" in text]
            if refused and wanted.directive().split()[0] in refused[-1]:
                raise UserError(refused[-1])
        found.append(alerts_of(which, ruleset, captures)[0])
    before, after = found
    result = Hidden()
    for (rule, flow), places in before.items():
        if rule == (wanted.gid, wanted.sid):
            result.alerts += places.total()
            gone = places - after.get((rule, flow), Counter())
            if gone:
                result.add(flow, gone.total())
    return result


def on_events(events: Iterable[dict[str, Any]], wanted: Wanted, config: Config) -> Hidden:
    """What a suppression would have hidden of alerts that were written before."""
    if wanted.limit is not None:
        raise UserError(
            "a limit cannot be tried on alerts written before", where="--limit", fix="try it on captures (-r)"
        )
    covers = _covers(config.variables.address(wanted.address)) if wanted.address else None
    result = Hidden()
    for event in events:
        alert = event.get("alert")
        if not isinstance(alert, dict):
            continue
        if (alert.get("gid", 1), alert.get("signature_id")) != (wanted.gid, wanted.sid):
            continue
        result.alerts += 1
        ends = {"src": str(event.get("src_ip", "")), "dst": str(event.get("dest_ip", ""))}
        asked = ends.values() if wanted.track == "either" else [ends.get(wanted.track, "")]
        if covers is None or any(covers(end) for end in asked):
            result.add(f"{ends['src']} > {ends['dst']}")
    return result


def expiry(text: str) -> date:
    """The last day of an exception: 2026-12-31, or so many days from now: 30d. Raises UserError."""
    try:
        if text.endswith("d") and text[:-1].isdigit():
            day = today() + timedelta(days=int(text[:-1]))
        else:
            day = date.fromisoformat(text)
    except (ValueError, OverflowError):
        raise UserError(f"{text!r} is no day", where="--expires", fix="e.g. 2026-12-31 or 30d") from None
    if day < today():
        raise UserError(f"{text} is past", where="--expires", fix="give a day to come")
    if day > today() + timedelta(days=MAX_DAYS):
        raise UserError(f"{text} is too far off", where="--expires", fix="an exception ends; change the rule")
    return day


def content_with(path: Path, note: Note, wanted: Wanted) -> bytes:
    """The threshold.config with the exception at its end. Raises UserError when it cannot be read."""
    before = b""
    if path.exists():
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise UserError(
                f"larger than {_MAX_FILE_BYTES} bytes", where=path, fix="is this a threshold.config?"
            )
        before = path.read_bytes()
    if before and not before.endswith(b"\n"):
        before += b"\n"
    return before + f"{note.line()}\n{wanted.directive()}\n".encode()


def write(path: Path, content: bytes) -> None:
    """Replace the threshold.config, whole or not at all."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
    write_whole(path, content, mode=mode)


def listed(path: Path, warnings: list[str]) -> Iterator[Directive]:
    """The directives of a threshold.config that are exceptions with a note."""
    return (directive for directive in directives(path, warnings) if directive.note is not None)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _covers(expression: str) -> Callable[[str], bool]:
    """Whether an address is one of an expression's: [a, b/8, !c]."""
    wanted: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    unwanted: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    for word in expression.strip("[]").split(","):
        is_negated = word.startswith("!")
        try:
            network = ipaddress.ip_network(word.removeprefix("!"), strict=False)
        except ValueError:
            raise UserError(
                f"{word!r} is no address or network",
                where="--ip",
                fix="e.g. 10.0.0.5 or [10.0.0.0/8,!10.1.0.0/16]",
            ) from None
        (unwanted if is_negated else wanted).append(network)

    def covers(text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        is_in = not wanted or any(address in network for network in wanted)
        return is_in and not any(address in network for network in unwanted)

    return covers
