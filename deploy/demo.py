"""`make demo`: shipped captures through a sensor, over the bus, into a centre's store, and the proof that
nothing is missing.

Centre and sensor are separate processes in demo-out/, on loopback. Exit 0 only if the alerts read back from
the store are exactly those of the sensor's own eve.json, and so are all other events; 1 if they differ; 2 if
something would not start.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "demo-out"
CENTRE, SENSOR, LOGS = OUT / "centre", OUT / "sensor", OUT / "logs"
HAIDANG = [sys.executable, "-m", "sensor.cli"]
_START_SECONDS = 60.0
_STEP_SECONDS = 300.0
_ALL = "1000000"


class DemoError(Exception):
    """What would not work."""


def main() -> int:
    captures = sys.argv[1:] or [str(ROOT / "pcaps")]
    shutil.rmtree(OUT, ignore_errors=True)
    LOGS.mkdir(parents=True)
    begin = time.monotonic()
    try:
        step("a centre is made")
        haidang("centre", "init", CENTRE, "--listen", "tcp://127.0.0.1:0", "--metrics", "127.0.0.1:0")
        with centre():
            step("a sensor is enrolled with a token")
            token = haidang("centre", "token", "-d", CENTRE).strip()
            print(haidang("sensor", "enrol", token, "-d", SENSOR, "--name", "demo"), end="")
            step(f"the sensor reads {' '.join(captures)}")
            config = ("-c", ROOT / "deploy" / "demo.yaml", "-l", LOGS, "--metrics", "127.0.0.1:0")
            print(haidang("sensor", "run", "-d", SENSOR, "-r", *captures, *config), end="")
            step("the centre's store is asked")
            wait_until_searchable(len(eve_lines()))
            found = haidang(
                "centre", "search", "-d", CENTRE, "--format", "json", "--limit", _ALL
            ).splitlines()
            print(
                haidang("centre", "search", "-d", CENTRE, "--type", "alert", "--limit", _ALL, "--oldest"),
                end="",
            )
            print(haidang("centre", "stats", "-d", CENTRE), end="")
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    code = compare(eve_lines(), found)
    print(f"{time.monotonic() - begin:.1f} s; everything is in {OUT}")
    return code


def compare(sent: Sequence[str], found: Sequence[str]) -> int:
    """Tell whether both sides hold the same events, each as often; the exit code."""
    code = 0
    for name, wanted in (("alerts", True), ("other events", False)):
        here, there = (
            Counter(canonical(line) for line in lines if is_alert(line) is wanted) for lines in (sent, found)
        )
        missing, extra = (here - there).total(), (there - here).total()
        verdict = (
            "the same" if not missing and not extra else f"{missing} MISSING, {extra} EXTRA at the centre"
        )
        print(
            f"{name}: {here.total()} in the sensor's eve.json, {there.total()} in the centre's store: "
            f"{verdict}"
        )
        if missing or extra:
            code = 1
    if not any(map(is_alert, sent)):
        print("no alerts at all: that proves nothing")
        code = 1
    return code


def canonical(line: str) -> str:
    """One spelling of an event: the centre prints some characters as escapes, for the terminal's sake."""
    return json.dumps(json.loads(line), sort_keys=True)


def is_alert(line: str) -> bool:
    return bool(json.loads(line)["event_type"] == "alert")


def eve_lines() -> list[str]:
    return (LOGS / "eve.json").read_text().splitlines()


def wait_until_searchable(events: int) -> None:
    """The centre acknowledges what is durable in its journal; the store follows within a second or so."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        told = haidang("centre", "stats", "-d", CENTRE, "--format", "json").splitlines()
        if sum(json.loads(line)["events"] for line in told) >= events:
            return
        time.sleep(0.2)


@contextmanager
def centre() -> Iterator[None]:
    """A running `haidang centre serve`."""
    step("the centre is started")
    with (OUT / "centre.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  (our own command)
            [*HAIDANG, "centre", "serve", "-d", str(CENTRE)], stdout=log, stderr=log, cwd=ROOT
        )
        try:
            ready = (CENTRE / "run" / "bound.json", CENTRE / "run" / "store.json")
            deadline = time.monotonic() + _START_SECONDS
            while not all(path.exists() for path in ready):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise DemoError(f"the centre did not start: {(OUT / 'centre.log').read_text()[-500:]}")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def haidang(*arguments: object) -> str:
    """Run one command to its end; what it printed. DemoError when it fails."""
    command = [*HAIDANG, *map(str, arguments)]
    try:
        done = subprocess.run(  # noqa: S603  (our own command)
            command, capture_output=True, text=True, timeout=_STEP_SECONDS, cwd=ROOT, check=False
        )
    except subprocess.TimeoutExpired:
        raise DemoError(
            f"haidang {' '.join(map(str, arguments[:2]))} took more than {_STEP_SECONDS:.0f} s"
        ) from None
    if done.returncode != 0:
        raise DemoError(
            f"haidang {' '.join(map(str, arguments[:2]))}: {done.stderr.strip() or done.stdout.strip()}"
        )
    return done.stdout


def step(text: str) -> None:
    print(f"== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
