"""Sensor, province and nation as processes: what a sensor saw is at the nation once, whoever was cut off or
killed, and whichever way it went.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import HAIDANG, REPOSITORY, House, wait_for, write_events

from collectors.relay.ledger import read_books

EVENTS = int(os.environ.get("HAIDANG_TIERS_EVENTS", "4200"))  # a week's
ALL = "default: allow\n"


@pytest.fixture
def nation(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "nation").mkdir()
    made = House(tmp_path / "nation")
    made.start_centre()
    made.wait_for_centre()
    yield made
    made.close()


@pytest.fixture
def province(tmp_path: Path, nation: House) -> Iterator[House]:
    made = open_province(tmp_path / "hanoi", nation, "hanoi", ALL)
    made.enrol("hn-1")
    yield made
    made.close()


def open_province(directory: Path, nation: House, name: str, policy: str, *, metrics: str = "") -> House:
    directory.mkdir()
    house = House(directory, metrics=metrics)
    file = directory / "policy.yaml"
    file.write_text(policy)
    token = nation.haidang("centre", "token", "-d", nation.centre_directory, "--relay", "h*").stdout.strip()
    house.haidang("relay", "join", token, "-d", house.centre_directory, "--name", name, "--policy", file)
    house.start_centre()
    house.wait_for_centre()
    return house


def carry(house: House, *files: Path, again: bool = False) -> None:
    run = ("sensor", "run", "-d", house.sensor_directory, "--metrics", "", "--events", *files)
    house.haidang(*run, *(["--again"] if again else []), timeout=120)


def wait_until_relayed(house: House, seconds: float = 60) -> None:
    """Until the province's relay has taken everything of its journal, and the nation has that."""
    from collectors.journal import Journal

    journal = Journal(house.centre_directory / "journal.sqlite")
    records = journal.last_id()
    journal.close()
    path = house.centre_directory / "relay" / "outbox.sqlite"

    def is_done() -> bool:
        import contextlib
        import sqlite3

        with contextlib.closing(sqlite3.connect(path, timeout=20)) as file:
            seen = file.execute("SELECT value FROM meta WHERE key = 'record'").fetchone()[0]
        return seen >= records and all(book.pending == 0 for book, _ in read_books(path))

    wait_for(is_done, seconds, "the relay")


def sent(*files: Path) -> Counter[str]:
    return Counter(line for path in files for line in path.read_text().splitlines())


def found(house: House) -> Counter[str]:
    house.wait_for_store()
    house.wait_until_filled()
    return Counter(house.search("--limit", "1000000"))


def test_a_week_without_the_nation_and_kills_on_the_way_end_in_equal_sets(
    nation: House, province: House, tmp_path: Path
) -> None:
    chance = random.Random(7)
    files = write_events(tmp_path / "events", EVENTS, files=14, seed=7)  # two a day
    carry(province, *files[:1])
    wait_until_relayed(province)
    nation.kill_centre()
    for day in range(1, 7):
        carry(province, *files[2 * day - 1 : 2 * day + 1])
        if chance.random() < 0.5:
            province.kill_centre()
            province.start_centre()
            province.wait_for_centre()
    assert found(province) == sent(*files[:13]), "the province works alone"
    status = ("relay", "status", "-d", province.centre_directory, "--format", "json")
    waiting = [json.loads(line) for line in province.haidang(*status, check=False).stdout.splitlines()]
    assert sum(row["waiting"] for row in waiting) == sent(*files[1:13]).total()
    nation.start_centre()
    nation.wait_for_centre()
    relay = relay_process(province)
    os.kill(relay, signal.SIGKILL)
    wait_for(lambda: relay_process(province) not in (0, relay), 30, "another relay process")
    wait_for(lambda: province_pending(province) < sent(*files[1:13]).total(), 60, "the relay to go on")
    relay = relay_process(province)
    province.kill_centre()
    nation.kill_centre()
    wait_for(lambda: not Path(f"/proc/{relay}").exists(), 30, "the relay to end with its centre")
    nation.start_centre()
    province.start_centre()
    province.wait_for_centre()
    carry(province, *files[13:])
    wait_until_relayed(province)
    assert found(nation) == found(province) == sent(*files)
    told = nation.haidang("centre", "sensors", "-d", nation.centre_directory, "--format", "json").stdout
    rows = {(row["sensor"], row["state"]): row for row in map(json.loads, told.splitlines())}
    assert rows[("hn-1", "via hanoi")]["events"] == EVENTS and ("hanoi", "relay") in rows
    assert province.haidang(*status).returncode == 0
    stats = province.haidang("centre", "stats", "-d", province.centre_directory).stdout
    assert "relay, alert: delivered" in stats
    nation.close()  # and the nation's end is nothing to the province
    carry(province, *write_events(tmp_path / "more", 10, files=1, seed=8))
    assert found(province).total() == EVENTS + 10


def test_a_stick_imported_twice_at_a_centre_without_a_network(tmp_path: Path) -> None:
    """Neither centre ever met the other: keys and batches are carried."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    here, there = House(tmp_path / "a"), House(tmp_path / "b")
    try:
        for house in (here, there):
            house.start_centre()
            house.wait_for_centre()
        here.enrol("hn-1")
        files = write_events(tmp_path / "events", 900, files=3, seed=12)
        carry(here, *files[:2])
        stick = tmp_path / "stick"
        stick.mkdir()
        for house, name in ((here, "here.json"), (there, "there.json")):
            told = house.haidang("relay", "identity", "-d", house.centre_directory).stdout
            (tmp_path / name).write_text(told)
        out = (
            "bus",
            "export",
            stick,
            "-d",
            here.centre_directory,
            "--to",
            tmp_path / "there.json",
            "--since",
            "7d",
        )
        told = here.haidang(*out).stdout
        assert told.startswith("600 events")
        into = ("bus", "import", stick, "-d", there.centre_directory)
        refused = there.haidang(*into, check=False)
        assert refused.returncode == 1 and "keys are not known here" in refused.stderr
        trust = ("relay", "trust", tmp_path / "here.json", "--name", "hanoi", "-d", there.centre_directory)
        there.haidang(*trust, "--sensors", "hn-*")
        for new in ("600 events in ", "0 events in 0 batches"):
            done = there.haidang(*into)
            assert done.stdout.startswith(new), done.stdout + done.stderr
            assert found(there) == sent(*files[:2])
        carry(here, *files[2:])
        assert here.haidang(*out).stdout.startswith("300 events")
        there.haidang(*into)
        assert found(there) == found(here) == sent(*files)
        for path in stick.glob("*-000000.hdx"):
            path.write_bytes(path.read_bytes()[:-100])
        done = there.haidang(*into, check=False)
        assert done.returncode == 1 and "cut short" in done.stderr and "Traceback" not in done.stderr
    finally:
        here.close()
        there.close()


def test_export_and_import_are_killed_again_and_again(tmp_path: Path) -> None:
    chance = random.Random(15)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    here, there = House(tmp_path / "a"), House(tmp_path / "b")
    try:
        here.start_centre()
        here.wait_for_centre()
        here.enrol("hn-1")
        lines = [
            json.dumps({"event_type": "flow", "n": n, "x": chance.randbytes(40_000).hex()})
            for n in range(150)
        ]
        for part in range(6):
            (tmp_path / f"{part}.json").write_text("\n".join(lines[part::6]) + "\n")
        carry(here, *(tmp_path / f"{part}.json" for part in range(6)))
        here.kill_centre()
        stick = tmp_path / "stick"
        stick.mkdir()
        for house, name in ((here, "here.json"), (there, "there.json")):
            told = house.haidang("relay", "identity", "-d", house.centre_directory).stdout
            (tmp_path / name).write_text(told)
        trust = ("relay", "trust", tmp_path / "here.json", "--name", "hanoi", "-d", there.centre_directory)
        there.haidang(*trust)
        out = ["bus", "export", stick, "-d", here.centre_directory, "--to", tmp_path / "there.json"]
        into = ["bus", "import", stick, "-d", there.centre_directory]
        for command, done in (([*out, "--segment", "1"], here), (into, there)):
            for _ in range(6):
                process = subprocess.Popen(
                    [*HAIDANG, *map(str, command)], cwd=REPOSITORY, stdout=subprocess.DEVNULL
                )
                time.sleep(chance.uniform(0.4, 1.2))
                process.kill()
                process.wait(10)
            done.haidang(*command)
        assert len(list(stick.glob("*.hdx"))) > 4 and not list(stick.glob(".*"))
        assert there.haidang(*into).stdout.startswith("0 events in 0 batches")
        there.start_centre()
        assert found(there) == Counter(lines)
    finally:
        here.close()
        there.close()


def test_a_sensor_that_never_saw_its_centre_again_brings_its_spool(tmp_path: Path) -> None:
    house = House(tmp_path)
    try:
        house.start_centre()
        house.wait_for_centre()
        house.enrol("hn-1")
        house.kill_centre()
        files = write_events(tmp_path / "events", 300, files=2, seed=13)
        run = ("sensor", "run", "-d", house.sensor_directory, "--metrics", "", "--drain", "0.2", "--events")
        assert house.haidang(*run, *files, check=False).returncode == 1
        stick = tmp_path / "stick"
        stick.mkdir()
        house.haidang("bus", "export", stick, "--sensor", house.sensor_directory)
        house.start_centre()
        house.wait_for_centre()
        for _ in range(2):
            house.haidang("bus", "import", stick, "-d", house.centre_directory)
        assert found(house) == sent(*files)
        house.haidang("sensor", "run", "-d", house.sensor_directory, "--metrics", "")
        assert found(house) == sent(*files), "the link brings the same once more, and nothing doubles"
        assert all(not book.get("lost") and not book["pending"] for book in house.books())
    finally:
        house.close()


def relay_process(house: House) -> int:
    """The process id of a running centre's relay, or 0."""
    assert house.centre is not None
    pid = house.centre.pid
    children = [
        child for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()
    ]
    for child in children:
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"collectors.relay.daemon" in command:
            return int(child)
    return 0


def relay_counts(house: House) -> Counter[str]:
    """Sums over all lanes of haidang_relay_events_*, as Prometheus reads them."""
    address = json.loads((house.centre_directory / "run" / "bound.json").read_bytes())["metrics"]
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        told = answer.read().decode()
    assert "haidang_relay_session_up 1.0" in told and "haidang_relay_lag_seconds" in told
    sums: Counter[str] = Counter()
    for name, value in re.findall(r"^haidang_relay_events_(\w+)(?:{.*})? ([\d.]+)$", told, re.MULTILINE):
        sums[name] += int(float(value))
    return sums


def province_pending(province: House) -> int:
    path = province.centre_directory / "relay" / "outbox.sqlite"
    return sum(book.pending for book, _ in read_books(path))


def test_a_sensor_that_turns_to_another_province_is_at_the_nation_once(
    nation: House, province: House, tmp_path: Path
) -> None:
    hue = open_province(tmp_path / "hue", nation, "hue", ALL)
    try:
        token = hue.haidang("centre", "token", "-d", hue.centre_directory).stdout.strip()
        province.haidang("sensor", "enrol", token, "-d", province.sensor_directory, "--alternate")
        files = write_events(tmp_path / "events", 1200, files=40, seed=9)
        # Slow enough that something is left when the first centre ends.
        run = ("--failover", "1", "--drain", "60", "--bandwidth", "40K", "--events", *files)
        province.start_sensor(*run)
        wait_for(lambda: delivered(province) > 100, 30, "the first events")
        province.kill_centre()
        assert province.sensor is not None and province.sensor.wait(90) == 0, province.sensor_log.read_text()
        province.start_centre()
        province.wait_for_centre()
        carry(province, *write_events(tmp_path / "more", 100, files=1, seed=10))
        for house in (province, hue):
            wait_until_relayed(house)
        everything = sent(*files, *(tmp_path / "more").iterdir())
        assert found(nation) == everything
        assert found(province) | found(hue) == everything and found(hue)
        stats = nation.haidang("centre", "stats", "-d", nation.centre_directory)
        assert "lost" not in stats.stdout and stats.returncode == 0
    finally:
        hue.close()


def delivered(house: House) -> int:
    return sum(book["delivered"] for book in house.books())


def test_only_what_the_policy_lets_out_leaves(nation: House, tmp_path: Path) -> None:
    policy = "events: {alert: allow, http: {deny: [http.url]}, dns: deny}\n"
    hanoi = open_province(tmp_path / "strict", nation, "hanoi", policy, metrics="127.0.0.1:0")
    try:
        hanoi.enrol("hn-1")
        files = write_events(tmp_path / "events", 600, files=2, seed=3)
        carry(hanoi, *files)
        wait_until_relayed(hanoi)
        expected = Counter()
        for line, count in sent(*files).items():
            event = json.loads(line)
            if event["event_type"] == "http":
                del event["http"]["url"]
            if event["event_type"] in ("alert", "http"):
                expected[json.dumps(event, sort_keys=True)] += count
        arrived = Counter(json.dumps(json.loads(line), sort_keys=True) for line in found(nation))
        assert arrived == expected
        told = nation.haidang("centre", "sensors", "-d", nation.centre_directory, "--format", "json").stdout
        (row,) = [row for row in map(json.loads, told.splitlines()) if row["state"] == "via hanoi"]
        assert row["events"] + row["withheld"] == 600 and row["reduced"] > 0
        counts = relay_counts(hanoi)
        assert (
            counts["made_total"]
            == 600
            == sum(counts[name] for name in ("delivered_total", "withheld_total", "pending", "lost_total"))
        )
        assert counts["withheld_total"] == row["withheld"] and counts["delivered_total"] == row["events"]
        wrong = hanoi.directory / "wrong.yaml"
        wrong.write_text("events: {htp: allow}\n")
        refused = hanoi.haidang("relay", "check", wrong, check=False)
        assert refused.returncode == 2 and "did you mean http?" in refused.stderr
        (policy_file,) = (hanoi.centre_directory / "relay").glob("policy.yaml")
        checked = hanoi.haidang("relay", "check", policy_file, "--events", files[0])
        assert "300 events" in checked.stderr and '"dns"' not in checked.stdout
    finally:
        hanoi.close()
