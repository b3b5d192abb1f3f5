"""Kill -9 on either side, at any moment, and nothing is missing and nothing is there twice (issue 2,
acceptance 7).

HAIDANG_KILL_EVENTS=100000 makes the long run (`make test-kill`); HAIDANG_KILL_SEED replays a schedule that
failed.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from pathlib import Path

from house import House, write_events

EVENTS = int(os.environ.get("HAIDANG_KILL_EVENTS", "10000"))
KILLS = max(9, EVENTS // 2500)


def test_killed_at_random_moments_the_centre_ends_with_exactly_the_sensors_set(
    house: House, tmp_path: Path
) -> None:
    seed = int(os.environ.get("HAIDANG_KILL_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"HAIDANG_KILL_SEED={seed}")
    chance = random.Random(seed)
    files = write_events(tmp_path / "events", EVENTS, files=max(200, EVENTS // 200), seed=seed)
    run = ["--drain", "120", "--events", *files]
    house.start_centre()
    house.wait_for_centre()
    house.enrol()
    house.start_sensor(*run)
    killed: Counter[str] = Counter()
    under_way = 0
    for _ in range(KILLS):
        wait_a_moment(house, chance)
        under_way += delivered(house) < EVENTS
        victim = chance.choices(("sensor", "centre", "store"), (5, 3, 2))[0]
        killed[victim] += 1
        if victim == "sensor":
            house.kill_sensor()
            house.start_sensor(*run)
        elif victim == "centre":
            house.kill_centre()
            time.sleep(chance.choice((0.0, 0.0, 0.5)))
            house.start_centre()
        elif (store := house.store_process_id()) > 0:
            with contextlib.suppress(ProcessLookupError):
                os.kill(store, signal.SIGKILL)
    print(f"killed: {dict(killed)}, {under_way} of them with events under way")
    assert under_way >= KILLS // 3, "the run was over before it could be disturbed: more events are needed"
    house.wait_for_centre()
    assert house.sensor is not None
    _finish(house, run)
    house.wait_for_store()
    house.wait_until_filled(120)

    sent = Counter(line for path in files for line in path.read_text().splitlines())
    found = Counter(house.search("--limit", "1000000"))
    missing, extra = sent - found, found - sent
    assert not missing and not extra, f"{missing.total()} missing, {extra.total()} extra"
    books = house.books()
    assert sum(book["made"] for book in books) == EVENTS
    for book in books:
        assert book["made"] == book["delivered"] + book["pending"] + sum(book.get("lost", {}).values())
        assert book["pending"] == 0 and not book.get("lost")


def wait_a_moment(house: House, chance: random.Random) -> None:
    """For a random time, but on a fast machine not so long that the run is over before all is killed."""
    until = time.monotonic() + chance.uniform(0.0, 0.8)
    enough = delivered(house) + EVENTS // KILLS // 2
    while time.monotonic() < until and delivered(house) < enough:
        time.sleep(0.01)


def delivered(house: House) -> int:
    """Events that the sensor's spool knows to be at the centre."""
    path = house.sensor_directory / "spool.sqlite"
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as spool, contextlib.suppress(sqlite3.Error):
        return int(spool.execute("SELECT sum(delivered) FROM lane").fetchone()[0] or 0)
    return 0


def _finish(house: House, run: list[object]) -> None:
    assert house.sensor is not None
    try:
        code = house.sensor.wait(240)
    except subprocess.TimeoutExpired:
        raise AssertionError(house.sensor_log.read_text()[-2000:]) from None
    assert code == 0, house.sensor_log.read_text()[-2000:]
