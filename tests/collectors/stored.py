"""A real store daemon, events to fill it with, and the way from a sensor's batches into it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from desk import Desk, Tap, wait_until

from collectors.store import schema
from collectors.store.client import connect, embedded_address
from collectors.store.fill import Filler
from sensor.bus.messages import Batch, encode

DATABASE = "haidang"


class Store:
    """A store daemon of its own, restartable."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.endpoint = directory / "store.json"
        self.start()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "collectors.store.daemon",
            str(self.directory / "data"),
            str(self.endpoint),
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=Path(__file__).parents[2])
        wait_until(self.endpoint.exists, 30)

    def client(self) -> Any:
        made = connect(embedded_address(self.endpoint))
        for statement in schema.statements(DATABASE):
            made.command(statement)
        return made

    def kill(self) -> None:
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self._reap()

    def _reap(self) -> int:
        code = self.process.wait(30)
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.endpoint.unlink(missing_ok=True)
        return code


def eve(number: int, kind: str = "alert", **more: object) -> bytes:
    event = {
        "timestamp": f"2026-01-02T03:04:{number % 60:02d}.{number:06d}+0700",
        "flow_id": 1000 + number,
        "event_type": kind,
        "src_ip": f"10.0.0.{number % 250}",
        "src_port": 40000,
        "dest_ip": "2001:db8::1",
        "dest_port": 443,
        "proto": "TCP",
        **more,
    }
    return json.dumps(event).encode()


def alert(sid: int, name: str) -> dict[str, object]:
    return {"alert": {"action": "allowed", "gid": 1, "signature_id": sid, "signature": name, "severity": 1}}


def filler(desk: Desk, store: Store) -> Filler:
    return Filler(
        desk.journal, desk.opener, DATABASE, address=None, endpoint=store.endpoint, keep_bytes=10**9
    )


def fill(desk: Desk, store: Store) -> None:
    running = filler(desk, store)
    running.start()
    wait_until(lambda: desk.journal.backlog() == (0, 0), 30)
    running.stop()
    running.join(10)


def send(desk: Desk, *batches: list[bytes], lane: int = 0, tap: Tap | None = None) -> Tap:
    if tap is None:
        desk.enrol()
        tap = Tap(desk)
    start = tap.hello()[lane]
    for seq, lines in enumerate(batches, start):
        tap.say(encode(Batch(tap.session, lane, seq)), tap.seal(lane, seq, *lines))
    desk.commit()
    return tap
