"""One run of a program, measured, and the facts of the machine that belong beside its figures."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OUTPUT_TAIL_BYTES = 2000  # of a program that failed


class RunError(Exception):
    """A program that is measured failed; the text has the end of what it said."""


@dataclass
class Run:
    """What one process cost, its threads and its start and end included."""

    user_seconds: float
    system_seconds: float
    wall_seconds: float
    peak_bytes: int  # resident, files that it maps included

    @property
    def cpu_seconds(self) -> float:
        return self.user_seconds + self.system_seconds


def execute(command: Sequence[str], console: Path) -> Run:
    """Runs a command in the repository's folder to its end; what it says goes to `console`.

    Raises RunError when it fails."""
    with console.open("wb") as out:
        started = time.monotonic()
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=ROOT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = console.read_text(errors="replace")[-OUTPUT_TAIL_BYTES:]
        raise RunError(f"{shlex.join(command)} ended with {process.returncode}:\n{tail}")
    return Run(usage.ru_utime, usage.ru_stime, wall, usage.ru_maxrss * 1024)


@dataclass(frozen=True)
class Spread:
    """The median of several figures, the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        return cls(statistics.median(figures), min(figures), max(figures))


# The sensor of this tree, whatever is installed: `execute` runs it in the tree's folder.
HAIDANG = f"{sys.executable} -m sensor.cli"


def engine_layout() -> str:
    """How the engine's code is laid out: "plain", or "by a profile" (`make optimize`)."""
    from sensor._engine import PROFILE_GUIDED

    return "by a profile" if PROFILE_GUIDED else "plain"


def environment() -> dict[str, Any]:
    """The machine and the versions."""
    cpu = re.search(r"^model name\s*: (.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB$", _read("/proc/meminfo"), re.MULTILINE)
    return {
        "machine": {
            "cpu": cpu[1] if cpu else platform.machine(),
            "cores": os.cpu_count(),
            "memory_bytes": int(memory[1]) * 1024 if memory else None,
            "system": platform.platform(),
            "load_before": os.getloadavg(),
        },
        "versions": {
            "python": platform.python_version(),
            "haidang": _said("git", "-C", str(ROOT), "describe", "--always", "--dirty")
            or "not in a repository",
            "engine": f"layout: {engine_layout()}",
            "suricata": _said("suricata", "-V"),
        },
    }


def write_json(path: Path, record: object) -> None:
    """Writes figures for the record; dataclasses become objects."""

    def plain(value: object) -> object:
        if is_dataclass(value) and not isinstance(value, type):
            return {field.name: getattr(value, field.name) for field in fields(value)}
        return str(value)

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1, default=plain) + "\n", encoding="utf-8")


def are_there(program: str, *paths: Path) -> bool:
    """Whether all of these files and folders exist; the first that does not is told."""
    for path in paths:
        if not path.exists():
            print(f"{program}: {path} is not there", file=sys.stderr)
            return False
    return True


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _said(*command: str) -> str | None:
    """The first line a program prints; None when it is not there."""
    if shutil.which(command[0]) is None:
        return None
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return (run.stdout + run.stderr).strip().partition("\n")[0] or None
