"""What the command socket answers: Suricata's commands, where they mean something here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor.config import Config
from sensor.errors import UserError
from sensor.live.capture import LiveCapture
from sensor.live.control import Command

if TYPE_CHECKING:
    from sensor.rules.findings import Finding, RuleReport
    from sensor.rules.reload import Reloader


def live_commands(
    capture: LiveCapture,
    config: Config,
    report: Callable[[], RuleReport],
    reopen: Callable[[], None],
    reloader: Reloader,
    service: Callable[[], Mapping[str, Any]] | None = None,
) -> Mapping[str, Command]:
    """The commands of a live capture. reopen: called from the socket's thread.
    service: what the gate tells, where there is one.
    """
    from sensor import __version__
    from sensor._engine import SURICATA_COMPAT

    def interfaces() -> list[str]:
        return list(dict.fromkeys(ring.interface for ring in capture.live.rings()))

    def iface_stat(arguments: Mapping[str, Any]) -> dict[str, int]:
        name = arguments.get("iface")
        rings = [ring for ring in capture.live.rings() if ring.interface == name]
        if not rings:
            raise UserError(f"Unknown interface: {name}")
        return {
            "pkts": sum(ring.kernel_packets for ring in rings),
            "drop": sum(ring.kernel_drops for ring in rings),
            "bypassed": 0,
            "invalid-checksums": 0,
        }

    def shutdown(_: Mapping[str, Any]) -> str:
        capture.stop()
        return "Closing Hải Đăng"

    def reopen_logs(_: Mapping[str, Any]) -> str:
        reopen()
        return "Logs are reopened within a second"

    def conf_get(arguments: Mapping[str, Any]) -> str:
        name = str(arguments.get("variable", ""))
        value = config.get(name)
        if value is None or isinstance(value, dict | list):
            raise UserError(f"Unable to get value of {name}")
        return str(value)

    def reload_rules(_: Mapping[str, Any]) -> str:
        reloader.start().wait()
        return "done"

    def begin_reload(_: Mapping[str, Any]) -> str:
        reloader.start()
        return "done"

    def reload_time(_: Mapping[str, Any]) -> list[dict[str, Any]]:
        when = datetime.fromtimestamp(reloader.reloaded_at).astimezone()
        return [{"id": 0, "last_reload": when.strftime("%Y-%m-%dT%H:%M:%S.%f%z")}]

    def dump_counters(_: Mapping[str, Any]) -> dict[str, Any]:
        told = {"uptime": int(time.monotonic() - capture.begun_at), **nested(capture.live.counters())}
        (engine,), (when,) = ruleset_stats({}), reload_time({})
        told.setdefault("detect", {})["engines"] = [{**engine, **when}]
        return told

    def ruleset_stats(_: Mapping[str, Any]) -> list[dict[str, int]]:
        now = report()
        return [
            {
                "id": 0,
                "rules_loaded": now.loaded,
                "rules_failed": now.quarantined,
                "rules_skipped": now.skipped,
            }
        ]

    def failed_rules(_: Mapping[str, Any]) -> list[dict[str, Any]]:
        by_place: dict[tuple[str, int], list[Finding]] = {}
        for finding in report().findings:
            if finding.severity == "error":
                by_place.setdefault((finding.file, finding.line), []).append(finding)
        return [
            {
                "tenant_id": 0,
                "rule": rule_text(file, line, sid=found[0].sid),
                "filename": file,
                "line": line,
                "error": "; ".join(f"{one.keyword}: {one.reason}".removeprefix(": ") for one in found),
            }
            for (file, line), found in by_place.items()
        ]

    known: dict[str, Command] = {} if service is None else {"service-state": lambda _: service()}
    return {
        **known,
        "version": lambda _: f"Hải Đăng {__version__} (Suricata {SURICATA_COMPAT})",
        "uptime": lambda _: int(time.monotonic() - capture.begun_at),
        "running-mode": lambda _: "workers",
        "capture-mode": lambda _: "AF_PACKET_DEV",
        "dump-counters": dump_counters,
        "iface-list": lambda _: {"count": len(interfaces()), "ifaces": interfaces()},
        "iface-stat": iface_stat,
        "ruleset-stats": ruleset_stats,
        "ruleset-failed-rules": failed_rules,
        "conf-get": conf_get,
        "reload-rules": reload_rules,
        "ruleset-reload-rules": reload_rules,
        "ruleset-reload-nonblocking": begin_reload,
        "ruleset-reload-time": reload_time,
        "reopen-log-files": reopen_logs,
        "shutdown": shutdown,
    }


def rule_text(file: str, line: int, *, sid: int) -> str:
    """The rule as it stands in its file now; empty when the file has changed so that another is there."""
    try:
        with Path(file).open(encoding="utf-8", errors="replace") as rules:
            text = next(islice(rules, line - 1, line), "").strip()
            while text.endswith("\\"):
                text = text[:-1] + next(rules, "").strip()
    except OSError:
        return ""
    return text if not sid or re.search(rf"\bsid\s*:\s*{sid}\b", text) else ""


def nested(counters: Mapping[str, int]) -> dict[str, Any]:
    """Counters as in the stats event: a section for each dot."""
    root: dict[str, Any] = {}
    for name, value in counters.items():
        here = root
        *sections, last = name.split(".")
        for section in sections:
            here = here.setdefault(section, {})
        here[last] = value
    return root
