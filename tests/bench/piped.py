"""A replay that reads a named pipe in a process of its own, so that its memory can be looked at meanwhile.

    python tests/bench/piped.py SETTINGS     the process; only the tools beside it start it

Who measures writes the capture into the pipe, as fast as the engine takes it. The process drops the events,
and tells their number and the counters when the pipe is closed.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from runs import OUTPUT_TAIL_BYTES, RunError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

BATCH_WAIT_SECONDS = 0.5
PIPE_BYTES = 1 << 20
POLL_SECONDS = 0.05
IDLE_SECONDS = 1.0  # without CPU time and with an empty pipe: all that was written is done
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Memory(NamedTuple):
    """Of a process, in bytes: resident, the part of it that is no file, and the most there ever was."""

    resident: int
    anonymous: int
    peak: int


def memory_of(process_id: int) -> Memory:
    """What the process has now."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    facts = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
    return Memory(*(int(facts[name][0]) * 1024 for name in ("VmRSS", "RssAnon", "VmHWM")))


def cpu_seconds(process_id: int) -> float:
    """User and system time that the process has used up."""
    return _cpu_seconds(Path(f"/proc/{process_id}/stat").read_text())


def thread_seconds(process_id: int, name: str) -> float:
    """The same of its threads whose names begin so."""
    threads = (path.read_text() for path in Path(f"/proc/{process_id}/task").glob("*/stat"))
    return sum(_cpu_seconds(stat) for stat in threads if stat.partition("(")[2].startswith(name))


def _cpu_seconds(stat: str) -> float:
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


class Piped:
    """The replay as its measurer sees it; a context that ends the process in any case."""

    def __init__(
        self, folder: Path, rules: Sequence[Path], conf: Path | None, settings: Sequence[str]
    ) -> None:
        self._path = folder / "capture.pipe"
        self._console = folder / "console.txt"
        os.mkfifo(self._path)
        orders = folder / "settings.json"
        orders.write_text(
            json.dumps(
                {
                    "pipe": str(self._path),
                    "rules": [str(path.resolve()) for path in rules],
                    "conf": None if conf is None else str(conf.resolve()),
                    "settings": [f"default-data-dir={folder}", f"default-log-dir={folder}", *settings],
                }
            )
        )
        with self._console.open("wb") as console:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(orders)],
                stdout=subprocess.PIPE, stderr=console, stdin=subprocess.DEVNULL, cwd=ROOT,
            )  # fmt: skip
        self._pipe = -1

    def __enter__(self) -> Piped:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def open(self) -> None:
        """Waits until the rules are loaded and the engine reads. Raises RunError when it never does."""
        while self._pipe < 0:
            try:
                self._pipe = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody reads yet
                self.check()
                time.sleep(POLL_SECONDS)
        os.set_blocking(self._pipe, True)
        fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def write(self, data: bytes) -> None:
        """Hands over data when the engine has room for it. Raises RunError when it is gone."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._pipe, rest) :]
        except BrokenPipeError:
            raise self._failed() from None

    def close(self) -> None:
        """Ends the capture."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def check(self) -> None:
        """Raises RunError when the process has ended."""
        if self._process.poll() is not None:
            raise self._failed()

    def _failed(self) -> RunError:
        tail = self._console.read_text(errors="replace")[-OUTPUT_TAIL_BYTES:]
        return RunError(f"the replay ended before its capture (exit code {self._process.poll()}):\n{tail}")

    def wait_until_idle(self) -> None:
        """Waits until the engine has done with all that was written."""
        last, since = -1.0, time.monotonic()
        while time.monotonic() - since < IDLE_SECONDS:
            self.check()
            waiting = int.from_bytes(fcntl.ioctl(self._pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
            spent = cpu_seconds(self._process.pid)
            # The thread that fetches batches wakes up now and then.
            if waiting or spent > last + 0.02:
                last, since = spent, time.monotonic()
            time.sleep(POLL_SECONDS)

    def memory(self) -> Memory:
        return memory_of(self._process.pid)

    def finish(self) -> dict[str, Any]:
        """Ends the capture; what the process says at its end: events, counters, warnings."""
        self.close()
        said, _ = self._process.communicate()
        if self._process.returncode:
            raise self._failed()
        answer: dict[str, Any] = json.loads(said)
        return answer


def replay(orders: dict[str, Any]) -> None:
    """The process: loads the rules, reads the pipe to its end, and says what came of it."""
    from sensor._engine import Replay
    from sensor.config import load
    from sensor.rules.loading import load as load_rules

    conf = None if orders["conf"] is None else Path(orders["conf"])
    config = load(conf, orders["settings"], checksums="none")
    ruleset, _ = load_rules(config, only=orders["rules"])
    run = Replay(config.engine_json(), ruleset, [orders["pipe"]], 1)
    events = 0
    while not run.finished:
        batch = run.next_batch(BATCH_WAIT_SECONDS)
        events += batch.events if batch is not None else 0
    print(json.dumps({"events": events, "counters": run.counters(), "warnings": run.warnings}))


if __name__ == "__main__":
    replay(json.loads(Path(sys.argv[1]).read_text()))
