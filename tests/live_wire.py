"""A wire of one's own: a veth pair in a network namespace, traffic in at one end, a sensor at the other."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SEND = REPOSITORY / "tests" / "live" / "send.py"


class Wire:
    """Interfaces `out0` and `in0` in namespace `name`. Ends only what it started."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.environ = {**os.environ, "HAIDANG_LANG": "en", "PYTHONPATH": str(REPOSITORY)}
        self._processes: list[subprocess.Popen[str]] = []

    def inside(self, *command: object) -> list[str]:
        return ["ip", "netns", "exec", self.name, *map(str, command)]

    def ip(self, *arguments: object) -> None:
        subprocess.run(
            ["ip", "-n", self.name, *map(str, arguments)], check=True, capture_output=True, timeout=10
        )

    def link(self, tx: str, rx: str) -> None:
        self.ip("link", "add", tx, "type", "veth", "peer", "name", rx)
        for end in (tx, rx):
            self.ip("link", "set", end, "mtu", 65000, "up")

    def send(self, *files: Path, rate: float = 0, laps: int = 1, interface: str = "out0") -> int:
        """Packets sent."""
        done = subprocess.run(
            self.inside(sys.executable, SEND, interface, rate, laps, *files),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return int(done.stdout.split()[0])

    def start(self, *arguments: object, before: Sequence[str] = ()) -> subprocess.Popen[str]:
        """`haidang ARGUMENTS`, once it captures. before: the program that starts it, and its arguments."""
        with (self.folder / "capture.log").open("w") as log:
            process = subprocess.Popen(
                self.inside(*before, sys.executable, "-m", "sensor.cli", *arguments),
                stdout=subprocess.PIPE, stderr=log, text=True, env=self.environ, cwd=self.folder,
            )  # fmt: skip
        self._processes.append(process)
        until = time.monotonic() + 60
        while "capturing" not in (self.folder / "capture.log").read_text():
            assert process.poll() is None and time.monotonic() < until, self.log()
            time.sleep(0.02)
        return process

    def log(self) -> str:
        return (self.folder / "capture.log").read_text()

    def end(self, process: subprocess.Popen[str], settle_seconds: float = 0.0) -> str:
        """SIGTERM, and what it says at the end."""
        time.sleep(settle_seconds)
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=60)
        return told

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=10)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    name = f"haidang-{os.getpid()}-{time.monotonic_ns() % 100_000}"
    made = subprocess.run(
        ["ip", "netns", "add", name], capture_output=True, text=True, timeout=10, check=False
    )
    if made.returncode:
        pytest.skip(f"network namespaces are refused: {made.stderr.strip()}")
    wire = Wire(name, tmp_path)
    try:
        # Nothing but what a test sends.
        quiet = "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"
        subprocess.run(wire.inside("sh", "-c", quiet), check=True, timeout=10)
        wire.link("out0", "in0")
        yield wire
    finally:
        wire.close()
        subprocess.run(["ip", "netns", "del", name], check=False, timeout=10)


def events(folder: Path) -> list[dict[str, Any]]:
    return _events_of(folder / "eve.json")


def all_events(folder: Path) -> list[dict[str, Any]]:
    """Those of files that were moved aside too, oldest first."""
    files = [*sorted(folder.glob("eve.json.*")), folder / "eve.json"]
    return [event for path in files for event in _events_of(path)]


def _events_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def last_stats(folder: Path) -> dict[str, Any]:
    """The file may have been moved aside just behind it."""
    return [event["stats"] for event in all_events(folder) if event["event_type"] == "stats"][-1]
