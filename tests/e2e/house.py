"""Real processes for the end-to-end tests: a centre and a sensor in directories of their own, on loopback."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HAIDANG = [sys.executable, "-m", "sensor.cli"]
REPOSITORY = Path(__file__).resolve().parents[2]


class House:
    """One centre and one sensor. Kills and ends only what it started, by process id."""

    def __init__(self, directory: Path, *, metrics: str = "") -> None:
        self.directory = directory
        self.centre_directory = directory / "centre"
        self.sensor_directory = directory / "sensor"
        self.centre_log = directory / "centre.log"
        self.sensor_log = directory / "sensor.log"
        self.centre: subprocess.Popen[bytes] | None = None
        self.sensor: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]  # the sensor must find the centre again after a restart
        self.haidang(
            "centre",
            "init",
            self.centre_directory,
            "--listen",
            f"tcp://127.0.0.1:{port}",
            "--metrics",
            metrics,
        )

    def haidang(
        self, *arguments: object, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*HAIDANG, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=REPOSITORY,
            env=_ENV,
        )
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done

    def start_centre(self) -> None:
        command = [*HAIDANG, "centre", "serve", "-d", str(self.centre_directory)]
        (self.centre_directory / "run" / "bound.json").unlink(missing_ok=True)
        with self.centre_log.open("ab") as log:
            self.centre = subprocess.Popen(command, stdout=log, stderr=log, cwd=REPOSITORY, env=_ENV)

    def wait_for_centre(self, seconds: float = 30) -> None:
        wait_for(
            lambda: (self.centre_directory / "run" / "bound.json").exists(), seconds, "the centre to listen"
        )

    def wait_for_store(self, seconds: float = 60) -> None:
        wait_for(lambda: self.store_process_id() > 0, seconds, "the store")

    def store_process_id(self) -> int:
        try:
            return int(json.loads((self.centre_directory / "run" / "store.json").read_bytes())["pid"])
        except (OSError, ValueError):
            return 0

    def enrol(self, name: str = "tap1") -> None:
        token = self.haidang("centre", "token", "-d", self.centre_directory).stdout.strip()
        self.haidang("sensor", "enrol", token, "-d", self.sensor_directory, "--name", name)

    def start_sensor(self, *arguments: object) -> None:
        command = [
            *HAIDANG,
            "sensor",
            "run",
            "-d",
            str(self.sensor_directory),
            "--metrics",
            "",
            *map(str, arguments),
        ]
        with self.sensor_log.open("ab") as log:
            self.sensor = subprocess.Popen(command, stdout=log, stderr=log, cwd=REPOSITORY, env=_ENV)

    def kill_sensor(self) -> None:
        if self.sensor is not None:
            self.sensor.send_signal(signal.SIGKILL)
            self.sensor.wait(10)

    def kill_centre(self) -> None:
        if self.centre is not None:
            self.centre.send_signal(signal.SIGKILL)
            self.centre.wait(10)

    def wait_until_filled(self, seconds: float = 60) -> None:
        """Until everything that the journal holds is in the store."""
        from collectors.journal import Journal

        journal = Journal(self.centre_directory / "journal.sqlite")
        try:
            wait_for(lambda: journal.backlog() == (0, 0), seconds, "the store to be filled")
        finally:
            journal.close()

    def search(self, *arguments: object) -> list[str]:
        """Lines of `centre search --format json`."""
        done = self.haidang(
            "centre", "search", "-d", self.centre_directory, "--format", "json", *arguments, timeout=180
        )
        return done.stdout.splitlines()

    def books(self) -> list[dict[str, Any]]:
        told = self.haidang("sensor", "status", "-d", self.sensor_directory, "--json").stdout
        return list(json.loads(told)["books"])

    def close(self) -> None:
        for process in (self.sensor, self.centre):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(10)


_ENV = {**os.environ, "HAIDANG_LANG": "en", "PYTHONWARNINGS": "default"}


def wait_for(condition: Any, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def event(number: int, chance: random.Random) -> dict[str, Any]:
    """One EVE event, different from every other."""
    kind = chance.choices(("alert", "flow", "http", "dns", "stats", "anomaly"), (20, 40, 20, 15, 2, 3))[0]
    made: dict[str, Any] = {
        "timestamp": f"2026-01-{1 + number % 28:02d}T{number % 24:02d}:00:00.{number % 1000000:06d}+0700",
        "flow_id": chance.randrange(1, 2**50),
        "event_type": kind,
        "src_ip": f"10.{chance.randrange(4)}.{chance.randrange(256)}.{chance.randrange(256)}",
        "src_port": chance.randrange(1024, 65536),
        "dest_ip": "2001:db8::7" if number % 5 == 0 else "192.0.2.7",
        "dest_port": 80,
        "proto": "TCP",
        "pcap_cnt": number,
    }
    if kind == "alert":
        sid = 1_000_000 + chance.randrange(40)
        made["alert"] = {
            "action": "allowed",
            "gid": 1,
            "signature_id": sid,
            "rev": 1,
            "signature": f"TEST rule {sid}",
            "category": "Test",
            "severity": 2,
        }
    if kind == "http":
        made["http"] = {
            "hostname": f"h{chance.randrange(99)}.Example.org",
            "url": "/" + "x" * chance.randrange(300),
        }
    return made


def write_events(directory: Path, count: int, *, files: int, seed: int) -> list[Path]:
    """`count` events over so many files."""
    chance = random.Random(seed)
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(files):
        path = directory / f"events-{index:04d}.json"
        numbers = range(index * count // files, (index + 1) * count // files)
        path.write_text("".join(json.dumps(event(n, chance), separators=(",", ":")) + "\n" for n in numbers))
        paths.append(path)
    return paths
