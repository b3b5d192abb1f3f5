"""Disks that are full or can only be read, on a small file system of the test's own; clocks that jump."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sensor.bus import spool as spool_module
from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.layout import Pending
from sensor.bus.link import Link
from sensor.bus.records import Record
from sensor.bus.seal import Sealer
from sensor.bus.spool import Spool, SpoolFull
from sensor.errors import UserError

DISK_BYTES = 6 * 1024 * 1024
RESERVE_BYTES = 2 * 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of DISK_BYTES."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system takes root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(autouse=True)
def small_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write-ahead log that fits the small disk as the usual one fits a usual disk."""
    monkeypatch.setattr("sensor.bus.records._WAL_PAGES", 200)


def batch(lane: int, size: int = 6000) -> Pending:
    return Pending(lane, 1, b'{"x":"%b"}\n' % random.randbytes(size // 2).hex().encode())


def fill(spool: Spool, sealer: Sealer, *, shed: bool, lane: int = 3) -> int:
    """Append until the disk refuses; how many batches were taken."""
    for taken in range(5000):
        try:
            if spool.append([batch(lane)], sealer, shed=shed):
                return taken
        except (sqlite3.OperationalError, SpoolFull):
            return taken
    raise AssertionError("the disk did not fill up")


def assert_books_close(spool: Spool) -> None:
    for book in spool.books():
        assert book.made == book.delivered + book.pending + sum(book.lost.values())


def test_a_full_disk_empties_itself_through_the_link(disk: Path, sealer: Sealer) -> None:
    """Nothing that was taken is lost, what was not taken is not counted, and batches leave without help."""
    spool = Spool(disk / "spool.sqlite", "tap1", mend=True, reserve_bytes=RESERVE_BYTES)
    taken = fill(spool, sealer, shed=False)
    assert taken > 50
    with pytest.raises((sqlite3.OperationalError, SpoolFull)):
        spool.append([batch(3)], sealer, shed=False)
    assert spool.books()[3].made == taken
    assert_books_close(spool)
    for seq in range(taken):
        item = spool.next_item(3, seq)
        assert isinstance(item, Record) and item.seq == seq
        if seq % 8 == 7:
            assert spool.acknowledge(3, seq + 1) == 8
    spool.acknowledge(3, taken)
    spool.append([batch(3)], sealer, shed=False)
    assert spool.books()[3].made == taken + 1 and spool.books()[3].lost == {}
    assert_books_close(spool)
    spool.close()
    assert not (disk / "spool.sqlite.reserve").exists()


def test_on_a_full_disk_alerts_take_the_place_of_logs(disk: Path, sealer: Sealer) -> None:
    spool = Spool(disk / "spool.sqlite", "tap1", mend=True, reserve_bytes=RESERVE_BYTES)
    fill(spool, sealer, shed=False)
    for _ in range(40):
        try:
            spool.append([batch(0)], sealer, shed=True)
        except sqlite3.OperationalError:
            spool.append([batch(0)], sealer, shed=True)
    books = spool.books()
    assert books[0].pending == books[0].made == 40
    assert books[3].lost["shed"] >= 39
    assert_books_close(spool)
    spool.close()


def test_a_spool_killed_on_a_full_disk_is_opened_again(disk: Path, sealer: Sealer) -> None:
    path = disk / "spool.sqlite"
    spool = Spool(path, "tap1", mend=True, reserve_bytes=RESERVE_BYTES)
    taken = fill(spool, sealer, shed=False)
    epoch = spool.epoch
    spool._database.close()  # as after SIGKILL
    filler = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while os.write(filler, bytes(4096)):
            pass
    os.close(filler)
    try:
        again = Spool(path, "tap1", mend=True, reserve_bytes=RESERVE_BYTES)
    except UserError as error:
        assert "room" in str(error)
        (disk / "filler").unlink()
        again = Spool(path, "tap1", mend=True, reserve_bytes=RESERVE_BYTES)
    assert again.epoch == epoch and again.books()[3].pending == taken
    again.close()


def test_a_link_waits_for_a_full_disk_and_goes_on(
    disk: Path,
    sealer: Sealer,
    sensor_keys: SensorKeys,
    centre_keys: CentreKeys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the spool refuses, the link's thread does not end."""
    spool = Spool(disk / "spool.sqlite", "tap1")
    spool.append([batch(0)], sealer)
    link = Link(spool, sensor_keys, centre_keys.public(), "tcp://127.0.0.1:1", software="test")
    refusals = 0

    def refuses(_: float) -> None:
        nonlocal refusals
        refusals += 1
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(link.session, "next_message", refuses)
    monkeypatch.setattr("sensor.bus.link._DISK_WAIT_SECONDS", 0.01)
    link.start()
    deadline = time.monotonic() + 10
    while refusals < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    link.stop()
    link.join(10)
    assert refusals >= 5 and link.failure is None
    spool.close()


def test_a_lease_that_was_not_written_is_not_believed(spool: Spool, sealer: Sealer) -> None:
    """What could not be noted as sent is not sent: it might be shed, and counted twice."""
    spool.append([batch(0)], sealer)
    other = sqlite3.connect(spool.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    spool._database.execute("PRAGMA busy_timeout=10")
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError):
            spool.next_item(0, 0)
    other.execute("ROLLBACK")
    other.close()
    assert isinstance(spool.next_item(0, 0), Record)


def test_a_disk_that_can_only_be_read_is_named_and_nothing_is_lost(disk: Path, sealer: Sealer) -> None:
    path = disk / "spool.sqlite"
    spool = Spool(path, "tap1", mend=True, reserve_bytes=RESERVE_BYTES)
    for _ in range(20):
        spool.append([batch(0)], sealer)
    spool._database.close()  # as after SIGKILL
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(UserError) as refused:
        Spool(path, "tap1", mend=True, reserve_bytes=RESERVE_BYTES)
    assert "can be written" in str(refused.value) and "move it away" not in str(refused.value)
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    spool = Spool(path, "tap1", mend=True, reserve_bytes=RESERVE_BYTES)
    assert spool.books()[0].pending == 20 and spool.repaired is None
    assert isinstance(spool.next_item(0, 19), Record)
    spool.close()


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the wall clock that the spool sees by so many days."""
    real, moved = time.time_ns, [0]
    monkeypatch.setattr(spool_module.time, "time_ns", lambda: real() + moved[0])

    def move(days: float) -> None:
        moved[0] += int(days * 86_400e9)

    return move


def test_a_clock_that_jumps_by_years_changes_no_order(
    spool: Spool, sealer: Sealer, wall: Callable[[float], None]
) -> None:
    for number, days in enumerate((0, 365, -730, 365, -365 * 30, 3650)):
        wall(days)
        spool.append([Pending(0, 1, b'{"n":%d}\n' % number), Pending(3, 1, b"{}\n")], sealer)
        assert spool.oldest_pending_us() is not None
    assert [spool.next_item(0, seq).seq for seq in range(6)] == list(range(6))
    spool.acknowledge(0, 3)
    wall(-500)
    spool.quota_bytes = spool.used_bytes()
    spool.append([batch(0, 100)], sealer)
    assert_books_close(spool)
    assert [spool.next_item(0, seq).seq for seq in range(3, 7)] == [3, 4, 5, 6]


_EXT4_IOC_SHUTDOWN = 0x8004587D  # linux/fs/ext4/ext4.h: _IOR('X', 125, __u32)
_WITHOUT_FLUSH = 2  # as when the power goes: what was not synced is gone


@pytest.fixture
def device(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """(image, mount point) of an ext4 file system of its own, mounted."""
    image, place = tmp_path / "image", tmp_path / "ext4"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(48 * 1024 * 1024)
    made = shutil.which("mkfs.ext4") and subprocess.run(["mkfs.ext4", "-q", image], capture_output=True)
    if os.geteuid() != 0 or not made or made.returncode or not mount_image(image, place):
        pytest.skip("an ext4 file system of one's own takes root, mkfs.ext4 and loop devices")
    yield image, place
    subprocess.run(["umount", "-l", place], capture_output=True)


def mount_image(image: Path, place: Path) -> bool:
    return subprocess.run(["mount", "-o", "loop", image, place], capture_output=True).returncode == 0


def test_when_the_power_goes_what_was_committed_is_on_the_disk(
    device: tuple[Path, Path], sealer: Sealer
) -> None:
    """The file system is shut down under a spool that is open: it refuses everything from then on, and what
    was not synced is lost. A step that `append` has returned from is there, whole.
    """
    image, place = device
    path = place / "spool.sqlite"
    spool = Spool(path, "tap1", mend=True, reserve_bytes=RESERVE_BYTES)
    spool.begin_input("in", "in")
    epoch = spool.epoch
    for number in range(60):
        spool.append([batch(0), batch(3)], sealer, input_id="in")
        if number == 30:
            for seq in range(10):
                assert isinstance(spool.next_item(0, seq), Record)
            spool.acknowledge(0, 10)
    descriptor = os.open(place, os.O_RDONLY)
    fcntl.ioctl(descriptor, _EXT4_IOC_SHUTDOWN, struct.pack("I", _WITHOUT_FLUSH))
    os.close(descriptor)
    for _ in range(3):
        with pytest.raises(sqlite3.DatabaseError):
            spool.append([batch(0)], sealer, input_id="in")
    with pytest.raises(sqlite3.DatabaseError):
        spool.acknowledge(0, 12)
    with contextlib.suppress(sqlite3.Error):
        spool.close()
    subprocess.run(["umount", place], check=True)
    # What the disk holds, as a disk of its own: a namespace that another test made meanwhile keeps the dead
    # file system mounted, and mounting the image itself would give that one back.
    assert mount_image(shutil.copy(image, image.with_name("after")), place)
    spool = Spool(path, "tap1", mend=True, reserve_bytes=RESERVE_BYTES)
    assert spool.epoch == epoch and spool.repaired is None
    assert spool.begin_input("in", "in")[1] == [60, 0, 0, 60]
    assert [spool.next_item(0, seq).seq for seq in range(10, 60)] == list(range(10, 60))
    assert [spool.next_item(3, seq).seq for seq in range(60)] == list(range(60))
    assert spool.books()[0].delivered == 10
    assert_books_close(spool)
    spool.close()
