"""Heartbeats of sensors: each comes through its whole line (sensor.live.heartbeat). One
that stays away is an alarm here, with the stage that broke.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from collectors.entries import Proven
from collectors.journal import Journal

log = logging.getLogger("haidang.heartbeats")

MISSED = 3  # so many in a row are an alarm: one may be late behind a slow link
GRACE_SECONDS = 5.0
SILENT_SECONDS = 15.0
"""A sensor that says nothing on the bus for so long is not heard; it speaks every 2 s, noted every 5."""
LOOK_SECONDS = 2.0
ALARMS_FILE = "alarms.jsonl"
MAX_FILE_BYTES = 1 << 20


class Pulse(NamedTuple):
    """One sensor's. stage: where its heartbeats break, by its word or by ours (`link`, `centre`); empty while
    they come.
    """

    sensor: str
    age_seconds: float
    interval_seconds: int
    stage: str

    @property
    def is_alarm(self) -> bool:
        return bool(self.stage)


def pulses(proven: Iterable[Proven], heard_us: Mapping[str, int], *, now_us: int) -> list[Pulse]:
    """Every sensor that sends heartbeats."""
    found = []
    for one in proven:
        if not one.interval_seconds:
            continue
        age = max(0.0, (now_us - one.received_us) / 1e6)
        stage = ""
        if age > MISSED * one.interval_seconds + GRACE_SECONDS:
            silence = (now_us - heard_us.get(one.sensor, 0)) / 1e6
            stage = "link" if silence > SILENT_SECONDS else one.stage or "centre"
        found.append(Pulse(one.sensor, age, one.interval_seconds, stage))
    return found


def read(journal: Journal) -> list[Pulse]:
    """The pulses as the journal has them now."""
    heard = {entry.sensor: entry.heard_us for entry in journal.heard()}
    return pulses(journal.proven(), heard, now_us=time.time_ns() // 1000)


class Watch(threading.Thread):
    """Says in the log, and as an event in a file, when heartbeats break, at another stage, and when
    they come again.
    """

    def __init__(self, journal: Journal, file: Path) -> None:
        super().__init__(name="heartbeats", daemon=True)
        self._journal = journal
        self._file = file
        self._stop_asked = threading.Event()
        self._broken: dict[str, str] = {}

    def stop(self) -> None:
        self._stop_asked.set()

    def run(self) -> None:
        while not self._stop_asked.wait(LOOK_SECONDS):
            try:
                self.look(read(self._journal))
            except Exception:  # the alarm must outlive a disk that fails for a while
                log.exception("heartbeats cannot be read")

    def look(self, seen: Iterable[Pulse]) -> None:
        """Tell what changed."""
        for pulse in seen:
            before = self._broken.get(pulse.sensor, "")
            if pulse.stage and pulse.stage != before:
                log.error(
                    "ALARM %s: no heartbeat for %.0f s: it breaks at stage %s",
                    pulse.sensor,
                    pulse.age_seconds,
                    pulse.stage,
                )
                self._write(pulse, "raised")
            elif before and not pulse.stage:
                log.warning("%s: heartbeats come again", pulse.sensor)
                self._write(pulse, "cleared")
            self._broken[pulse.sensor] = pulse.stage

    def _write(self, pulse: Pulse, state: str) -> None:
        alarm = {
            "kind": "heartbeat",
            "state": state,
            "sensor": pulse.sensor,
            "stage": pulse.stage,
            "age_seconds": round(pulse.age_seconds, 3),
        }
        timestamp = datetime.now().astimezone().strftime("%Y-%m-%dT%H:%M:%S.%f%z")
        event = {"timestamp": timestamp, "event_type": "alarm", "haidang": {"alarm": alarm}}
        try:
            if self._file.exists() and self._file.stat().st_size > MAX_FILE_BYTES:
                self._file.replace(self._file.with_suffix(".old.jsonl"))
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")
        except OSError as error:
            log.warning("%s: %s", self._file, error.strerror)
