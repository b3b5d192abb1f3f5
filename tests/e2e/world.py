"""Sensors and their centre, or two, as real processes in two network namespaces, on small file systems, with
a clock each. Needs root.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from wire import Wire

from sensor.errors import EXIT_OK, EXIT_USAGE

REPOSITORY = Path(__file__).resolve().parents[2]
HAIDANG = [sys.executable, "-m", "sensor.cli"]
CENTRE, SPARE = "centre", "spare"
CENTRE_ADDRESS, SENSOR_ADDRESS = "10.213.77.1", "10.213.77.2"
PORT = 5514  # of the centre; the spare one has the next
DISK_BYTES = 64 * 1024 * 1024
_RESTART_SECONDS = 0.5


class World:
    """Two namespaces joined by a wire; a centre in one, or two, sensors in the other. Ends only what it
    started.
    """

    def __init__(
        self,
        directory: Path,
        sensors: int,
        *,
        seed: int,
        store: bool,
        has_spare: bool = False,
        disk_bytes: int = DISK_BYTES,
    ) -> None:
        """has_spare: every sensor has a second centre to turn to."""
        self.directory = directory
        self.disk_bytes = disk_bytes
        self.near, self.far = f"hdc-{os.getpid()}", f"hds-{os.getpid()}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.commands: dict[str, list[str]] = {}
        self.names = [f"tap{number}" for number in range(sensors)]
        self.centres = [CENTRE, SPARE] if has_spare else [CENTRE]
        self.swaps = 0
        self._mounts: list[Path] = []
        try:
            ends = ((self.near, f"{CENTRE_ADDRESS}/24"), (self.far, f"{SENSOR_ADDRESS}/24"))
            self.wire = Wire(ends, seed=seed)
            for name in (*self.centres, *self.names):
                self._make_disk(self.place(name))
                (directory / f"{name}.clock").write_bytes(struct.pack("<q", 0))
            self._furnish(store)
        except BaseException:
            self.close()
            raise

    def _make_disk(self, place: Path) -> None:
        place.mkdir(parents=True)
        options = f"size={self.disk_bytes}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True, timeout=10)
        self._mounts.append(place)

    def _furnish(self, store: bool) -> None:
        """A centre and enrolled sensors, as `centre init`, `centre token` and `sensor enrol` make them."""
        from collectors.home import Home, Settings
        from collectors.registry import Registry
        from sensor.bus.durable import write_whole
        from sensor.bus.enrol import CENTRE_FILE, KEYS_FILE, Enrolment, Token, save_alternates
        from sensor.bus.keys import SensorKeys, save_keys

        fleet = {name: SensorKeys.generate() for name in self.names}
        enrolled: dict[str, list[Enrolment]] = {name: [] for name in self.names}
        for number, centre in enumerate(self.centres):
            address = f"tcp://{CENTRE_ADDRESS}:{PORT + number}"
            url = "" if store else "http://127.0.0.1:9"
            home = Home(self.home(centre))
            public = home.create(Settings(address, address, "", url)).public()
            registry = Registry(home.registry_file)
            for name, keys in fleet.items():
                token = Token.issue(address, public, 600)
                registry.add_token(token, name)
                row = registry.token(token.client_public)
                assert row is not None and registry.enrol(row, name, keys.public()) == ""
                enrolled[name].append(Enrolment(name, address, public, int(time.time())))
            registry.close()
            self.start(centre)
        for name, keys in fleet.items():
            self.home(name).mkdir(mode=0o700)
            save_keys(self.home(name) / KEYS_FILE, keys)
            first, *others = enrolled[name]
            write_whole(self.home(name) / CENTRE_FILE, msgspec.json.encode(first))
            if others:
                save_alternates(self.home(name), others)

    def place(self, name: str) -> Path:
        return self.directory / name

    def home(self, name: str) -> Path:
        return self.place(name) / (f"home{self.swaps}" if name == CENTRE else "home")

    def inside(self, name: str, *command: object) -> list[str]:
        namespace = self.near if name in self.centres else self.far
        return ["ip", "netns", "exec", namespace, *map(str, command)]

    def environment(self, name: str) -> dict[str, str]:
        paths = f"{REPOSITORY / 'tests' / 'e2e' / 'clock'}:{REPOSITORY}"
        clock = str(self.directory / f"{name}.clock")
        return {**os.environ, "HAIDANG_LANG": "en", "PYTHONPATH": paths, "HAIDANG_TEST_CLOCK": clock}

    def run(self, name: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.inside(name, *HAIDANG, *arguments),
            capture_output=True, text=True, timeout=90, check=False, cwd=REPOSITORY,
            env=self.environment(name),
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{arguments}: {done.stderr}"
        return done

    def start(self, name: str) -> None:
        """Start what is not running."""
        if name in self.processes and self.processes[name].poll() is None:
            return
        if name in self.centres:
            command = ["centre", "serve", "-d", str(self.home(name))]
        else:
            command = self.commands[name]
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self.inside(name, *HAIDANG, *command),
                stdout=log, stderr=log, env=self.environment(name), cwd=REPOSITORY,
            )  # fmt: skip

    def finish(self, seconds: float) -> None:
        """Wait until every sensor has ended well. What ends because its disk is full just when it begins is
        started again, as the service manager does (`Restart=` in deploy/systemd).
        """
        deadline = time.monotonic() + seconds
        waiting = list(self.names)
        while waiting:
            assert time.monotonic() < deadline, f"{waiting} have not ended after {seconds:.0f} s"
            for centre in self.centres:
                self.start(centre)
            for name in list(waiting):
                code = self.processes[name].poll()
                assert code in (None, EXIT_OK, EXIT_USAGE), f"{name} ended with {code}"
                if code == EXIT_OK:
                    waiting.remove(name)
                elif code is not None:
                    self.start(name)
            time.sleep(_RESTART_SECONDS)

    def kill(self, name: str) -> None:
        process = self.processes.get(name)
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait(20)

    def fill(self, name: str) -> None:
        """Use up the rest of a disk."""
        with (self.place(name) / "filler").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(65536)):
                    pass
            except OSError:
                pass

    def free(self, name: str) -> None:
        (self.place(name) / "filler").unlink(missing_ok=True)

    def move_clock(self, name: str, seconds: int) -> None:
        path = self.directory / f"{name}.clock"
        with path.open("r+b") as file:
            before = struct.unpack("<q", file.read(8))[0]
            file.seek(0)
            file.write(struct.pack("<q", before + seconds))

    def swap(self) -> None:
        """The centre's directory goes to another machine, which takes over the address."""
        self.kill(CENTRE)
        before = self.home(CENTRE)
        self.swaps += 1
        before.rename(self.home(CENTRE))

    def join(self) -> str:
        """Carry on a stick to the centre what the spare one has, twice; both have ended. What was new."""
        stick = self.directory / "stick"
        stick.mkdir()
        for name in self.centres:
            told = self.run(name, "relay", "identity", "-d", self.home(name)).stdout
            (self.directory / f"{name}.json").write_text(told)
        spare = self.directory / f"{SPARE}.json"
        self.run(CENTRE, "relay", "trust", spare, "--name", "spare", "-d", self.home(CENTRE))
        to = self.directory / f"{CENTRE}.json"
        self.run(SPARE, "bus", "export", stick, "-d", self.home(SPARE), "--to", to)
        first, again = (
            self.run(CENTRE, "bus", "import", stick, "-d", self.home(CENTRE)).stdout for _ in range(2)
        )
        assert again.startswith("0 events in 0 batches are new"), again
        return first.strip()

    def close(self) -> None:
        for name in self.processes:
            self.kill(name)
        for place in self._mounts:
            subprocess.run(["umount", "-l", place], capture_output=True, timeout=10)
        if hasattr(self, "wire"):
            self.wire.close()
