"""What a live capture writes stays within its bounds, and everything that goes is counted."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_sinks import ALERT, FLOW, batch

from sensor.config import load
from sensor.output import Sink, close_sinks, open_sinks
from sensor.output import quota as quotas
from sensor.output.file import MOVED, LogFile
from sensor.output.quota import Bounds, Quota

BLOCK = 4096


@pytest.fixture
def sinks(tmp_path: Path) -> Iterator[list[Sink]]:
    opened = open_sinks(load(), tmp_path)
    yield opened
    close_sinks(opened)


def quota(sinks: list[Sink], bounds: Bounds, *stores: Path) -> Quota:
    return Quota(bounds, [file for sink in sinks for file in sink.files], stores)


def moved(folder: Path, name: str = "eve.json") -> list[Path]:
    return sorted(path for path in folder.iterdir() if re.fullmatch(re.escape(name) + MOVED, path.name))


def write(sinks: list[Sink], count: int) -> None:
    for _ in range(count):
        for sink in sinks:
            sink.write(batch(ALERT, FLOW))


def lines(*paths: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in paths)


def test_large_files_are_moved_aside_and_no_line_is_lost(tmp_path: Path, sinks: list[Sink]) -> None:
    one = quota(sinks, Bounds(rotate_bytes=10_000, free_percent=0))
    write(sinks, 200)
    parts = moved(tmp_path)
    assert len(parts) > 3
    assert all(path.read_bytes().endswith(b"\n") for path in parts)
    assert lines(*parts, tmp_path / "eve.json") == 400
    assert lines(*moved(tmp_path, "fast.log"), tmp_path / "fast.log") == 200
    assert one.counters()["haidang.logs.rotated"] == len(parts) + len(moved(tmp_path, "fast.log"))


def test_the_oldest_go_and_what_is_not_ours_stays(tmp_path: Path, sinks: list[Sink]) -> None:
    store = tmp_path / "filestore"
    for n in range(8):
        folder = store / f"{n:02x}"
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 2 * BLOCK)
        os.utime(folder / "file", (1000 + n, 1000 + n))
    (tmp_path / "eve.json.1.gz").write_bytes(b"x" * 10 * BLOCK)  # logrotate's
    (tmp_path / "quarantine.pcap").write_bytes(b"x" * 10 * BLOCK)
    one = quota(sinks, Bounds(rotate_bytes=3 * BLOCK, total_bytes=16 * BLOCK, free_percent=0), store)
    write(sinks, 100)
    for n, path in enumerate(moved(tmp_path)):
        os.utime(path, (2000 + n, 2000 + n))
    one.keep()
    told = one.counters()
    assert told["haidang.logs.bytes"] <= 16 * BLOCK
    left = sorted(path.parent.name for path in store.rglob("file"))
    assert left == sorted(f"{n:02x}" for n in range(8))[len(range(8)) - len(left) :], "the oldest went"
    assert told["haidang.logs.deleted_files"] > 0
    assert told["haidang.logs.deleted_bytes"] >= 2 * BLOCK * (8 - len(left))
    assert (tmp_path / "eve.json.1.gz").exists() and (tmp_path / "quarantine.pcap").exists()
    assert told["haidang.logs.lost_lines"] == 0


def test_without_room_lines_are_given_up_and_it_goes_on_when_there_is(
    tmp_path: Path, sinks: list[Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = quota(sinks, Bounds(rotate_bytes=0, free_percent=5))
    write(sinks, 10)
    free = [1]
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(quotas.shutil, "disk_usage", lambda _: usage._replace(total=1 << 40, free=free[0]))
    one.keep()
    write(sinks, 10)
    assert one.counters()["haidang.logs.lost_lines"] == 30  # two of eve, one of fast each
    one.keep()  # what was written before has been moved aside, and goes
    assert one.counters()["haidang.logs.deleted_files"] == 2
    free[0] = 1 << 40
    one.keep()
    write(sinks, 10)
    assert one.counters()["haidang.logs.lost_lines"] == 30
    assert lines(tmp_path / "eve.json") == 20


def test_a_disk_that_is_full_ends_nothing() -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("there is no /dev/full")
    log = LogFile(Path("/dev/full"), append=True)
    log.open()
    log.keep_on(0)
    log.write(b"a\nb\nc\n")
    assert log.lost_lines == 3
    log.close()


def test_a_total_bounds_the_single_file_too() -> None:
    assert Bounds.of(load()) == Bounds(1 << 30, 0, 5)
    config = load(settings=["haidang.logs.total=80mb", "haidang.logs.keep-free=10"])
    assert Bounds.of(config) == Bounds(10 << 20, 80 << 20, 10)


def test_it_looks_on_its_own_thread(tmp_path: Path, sinks: list[Sink]) -> None:
    one = quota(sinks, Bounds(rotate_bytes=BLOCK, total_bytes=4 * BLOCK, free_percent=0))
    write(sinks, 100)
    one.start()
    until = time.monotonic() + 10
    while not one.deleted_files and time.monotonic() < until:
        time.sleep(0.02)
    one.close()
    assert one.deleted_files > 0
