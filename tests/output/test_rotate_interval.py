"""Log files that are moved aside by the clock."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sensor.config import load
from sensor.config.interval import Interval, read_interval
from sensor.errors import UserError
from sensor.output.file import LogFile
from sensor.output.quota import Bounds, Quota


def local(*fields: int) -> float:
    return time.mktime((*fields, 0, 0, -1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "now", "then"),
    [
        ("minute", local(2026, 11, 28, 10, 14, 59), local(2026, 11, 28, 10, 15, 0)),
        ("minute", local(2026, 11, 28, 10, 15, 0), local(2026, 11, 28, 10, 16, 0)),
        ("hour", local(2026, 11, 28, 23, 14, 59), local(2026, 11, 29, 0, 0, 0)),
        ("day", local(2026, 12, 31, 23, 14, 59), local(2027, 1, 1, 0, 0, 0)),
        ("90s", 1000.5, 1090.5),
        ("90", 1000.5, 1090.5),
        ("15m", 0.0, 900.0),
        ("1d", 0.0, 86_400.0),
    ],
)
def test_when_a_file_is_over(text: str, now: float, then: float) -> None:
    assert read_interval(text).after(now) == then


@pytest.mark.parametrize("text", ["", "0", "-1m", "month", "1y", "15 minutes"])
def test_what_is_no_interval_is_refused_where_it_stands(text: str, tmp_path: Path) -> None:
    conf = tmp_path / "sensor.yaml"
    conf.write_text(
        f'%YAML 1.1\n---\noutputs:\n  - fast:\n      enabled: yes\n      rotate-interval: "{text}"\n'
    )
    with pytest.raises(UserError, match=r"sensor\.yaml:6.*no interval .write minute"):
        load(conf)


def test_a_file_whose_time_is_over_is_moved_aside_and_no_line_is_lost(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "eve.json", append=True, every=Interval(1))
    log.open()
    Quota(Bounds(free_percent=0), [log], [])
    until = time.time() + 3.2
    written = 0
    while time.time() < until:
        log.write(b"%d\n" % written)
        written += 1
        time.sleep(0.01)
    log.close()
    parts = sorted(tmp_path.iterdir())
    assert log.rotated == 3 and len(parts) == 4
    lines = [int(line) for path in [*parts[1:], parts[0]] for line in path.read_text().split()]
    assert lines == list(range(written))


def test_a_replay_writes_one_file(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "eve.json", append=True, every=Interval(1))
    log.open()
    log.write(b"1\n")
    time.sleep(1.1)
    log.write(b"2\n")
    log.close()
    assert [path.name for path in tmp_path.iterdir()] == ["eve.json"]


def test_a_name_with_the_time_is_one_of_its_own_and_within_the_quota(tmp_path: Path) -> None:
    (tmp_path / "eve-other.json").write_text("not ours")
    log = LogFile(tmp_path / "eve-%s.json", append=True, every=Interval(1))
    log.open()
    quota = Quota(Bounds(total_bytes=20_000, free_percent=0), [log], [])
    until = time.time() + 2.5
    while time.time() < until:
        log.write(b"x" * 99 + b"\n")
        time.sleep(0.01)
    names = {path.name for path in tmp_path.iterdir()} - {"eve-other.json"}
    assert len(names) >= 3 and all(name[4:-5].isdigit() for name in names)
    log.write(b"y" * 30_000)
    quota.keep()
    log.close()
    assert {path.name for path in tmp_path.iterdir()} == {"eve-other.json", log.path.name}


def test_only_files_of_ours_are_over(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "eve-%Y-%m-%d.json", append=True)
    log.open()
    log.close()
    assert log.path.name == time.strftime("eve-%Y-%m-%d.json")
    assert log.is_over("eve-2001-02-03.json") and log.is_over("eve-2001-02-03.json.20010203-101500-000001")
    assert not log.is_over(log.path.name)
    assert not log.is_over("eve-2001-02-03.json.gz") and not log.is_over("eve-last.json")
