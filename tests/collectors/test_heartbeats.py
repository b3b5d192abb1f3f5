"""Heartbeats that stay away are an alarm at the centre, with the stage that broke."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import pytest

from collectors.entries import Beat, Heard, Proven, Told
from collectors.heartbeats import GRACE_SECONDS, MISSED, SILENT_SECONDS, Pulse, Watch, pulses, read
from collectors.journal import Journal

NOW_US = 1_800_000_000_000_000
LATE = int((MISSED * 60 + GRACE_SECONDS + 1) * 1e6)


def pulse(*, age_us: int, told: str = "", silent_us: int = 0, interval: int = 60) -> list[Pulse]:
    one = Proven("tap1", 7, NOW_US - age_us, interval, told)
    return pulses([one], {"tap1": NOW_US - silent_us}, now_us=NOW_US)


def test_the_stage_is_the_sensors_word_or_the_link() -> None:
    assert [one.stage for one in pulse(age_us=int(60e6), told="detect")] == [""]  # one may be late
    assert [one.stage for one in pulse(age_us=LATE, told="detect")] == ["detect"]
    assert [one.stage for one in pulse(age_us=LATE)] == ["centre"]
    silent_us = int((SILENT_SECONDS + 1) * 1e6)
    assert [one.stage for one in pulse(age_us=LATE, told="detect", silent_us=silent_us)] == ["link"]


def test_who_sends_none_is_not_missed() -> None:
    assert pulse(age_us=LATE, interval=0) == []


def test_the_journal_keeps_both_words(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    now_us = time.time_ns() // 1000
    journal.commit([Told("tap1", 1, "capture", now_us - 20_000_000)])
    journal.commit([Heard("tap1", now_us, 0, "[]", "haidang")])
    (one,) = read(journal)
    assert (one.sensor, one.stage) == ("tap1", "capture")
    journal.commit([Beat("tap1", 5, now_us), Told("tap1", 1, "", now_us)])
    journal.close()
    journal = Journal(path)
    (proven,) = journal.proven()
    assert proven == Proven("tap1", 5, now_us, 1, "")
    assert [one.stage for one in read(journal)] == [""]
    journal.expect_no_heartbeat("tap1")  # it was revoked
    assert read(journal) == []
    journal.close()


def test_a_journal_from_before_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal._database.execute("DROP TABLE heartbeat")
    journal.close()
    journal = Journal(path)
    assert journal.proven() == []
    journal.close()


def test_an_alarm_is_told_once_by_stage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    watch = Watch(journal, tmp_path / "alarms.jsonl")
    with caplog.at_level(logging.WARNING):
        for stage in ("", "capture", "capture", "link", ""):
            watch.look([Pulse("tap1", 200.0, 60, stage)])
    journal.close()
    assert [record.getMessage() for record in caplog.records] == [
        "ALARM tap1: no heartbeat for 200 s: it breaks at stage capture",
        "ALARM tap1: no heartbeat for 200 s: it breaks at stage link",
        "tap1: heartbeats come again",
    ]
    written = [json.loads(line) for line in (tmp_path / "alarms.jsonl").read_text().splitlines()]
    assert {event["event_type"] for event in written} == {"alarm"}
    alarms = [event["haidang"]["alarm"] for event in written]
    assert [(alarm["state"], alarm["stage"]) for alarm in alarms] == [
        ("raised", "capture"), ("raised", "link"), ("cleared", ""),
    ]  # fmt: skip
