"""Sensor, bus and centre as separate processes: enrolment, delivery, search, revocation, and errors in one
line.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from house import HAIDANG, REPOSITORY, House, wait_for, write_events

from sensor.bus.enrol import Token


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, list[str]]]:
    """A centre with 500 events of one sensor in it, and those events."""
    directory = tmp_path_factory.mktemp("line")
    house = House(directory, metrics="127.0.0.1:0")
    house.start_centre()
    house.wait_for_centre()
    house.enrol()
    files = write_events(directory / "events", 500, files=2, seed=1)
    done = house.haidang("sensor", "run", "-d", house.sensor_directory, "--metrics", "", "--events", *files)
    assert "500" not in done.stderr
    house.wait_for_store()
    house.wait_until_filled()
    yield house, [text for path in files for text in path.read_text().splitlines()]
    house.close()


def test_the_store_holds_what_was_sent(line: tuple[House, list[str]]) -> None:
    house, sent = line
    assert Counter(house.search("--limit", "1000")) == Counter(sent)


def test_a_centre_counts_and_shows_a_flow(line: tuple[House, list[str]]) -> None:
    house, sent = line
    events = [json.loads(text) for text in sent]
    centre = ("-d", house.centre_directory, "--until", "2026-02-01")
    alerts = Counter(event["alert"]["signature_id"] for event in events if event["event_type"] == "alert")
    told = house.haidang("centre", "top", *centre, "--format", "json", "--limit", "1000").stdout
    assert {row["sid"]: row["events"] for row in map(json.loads, told.splitlines())} == alerts
    told = house.haidang("centre", "timeline", *centre, "--format", "csv", "--step", "1h").stdout
    rows = list(csv.DictReader(io.StringIO(told)))
    assert sum(int(row["events"]) for row in rows) == len(events)
    assert sum(int(row["alerts"]) for row in rows) == alerts.total()
    flow = events[0]["flow_id"]
    told = house.haidang("centre", "show", flow, *centre, "--format", "json").stdout
    assert told.splitlines() == [sent[0]]
    assert f"flow {flow}, tap1: TCP" in house.haidang("centre", "show", flow, *centre).stdout
    done = house.haidang("centre", "show", "1", *centre, check=False)
    assert done.returncode == 1 and "no such flow" in done.stderr
    assert house.haidang("centre", "top", *centre, "--sid", "5", check=False).returncode == 1
    for wrong in (("top", "nothing"), ("timeline", "--step", "5"), ("top", "--limit", "0"), ("show", "x")):
        done = house.haidang("centre", *wrong, "-d", house.centre_directory, check=False)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def test_the_same_input_is_not_sent_twice_unless_asked(line: tuple[House, list[str]], tmp_path: Path) -> None:
    house, _ = line
    (file,) = write_events(tmp_path, 10, files=1, seed=2)
    run = ("sensor", "run", "-d", house.sensor_directory, "--metrics", "", "--events", file)
    house.haidang(*run)
    assert "all 10 events were spooled by an earlier run" in house.haidang(*run).stderr
    before = sum(book["made"] for book in house.books())
    house.haidang(*run, "--again")
    assert sum(book["made"] for book in house.books()) == before + 10


def test_lines_come_from_standard_input(line: tuple[House, list[str]]) -> None:
    house, _ = line
    text = '{"event_type":"http","flow_id":424242,"http":{"hostname":"stdin.example"}}\nnot an event\n\n'
    done = subprocess.run(
        [*HAIDANG, "sensor", "run", "-d", str(house.sensor_directory), "--metrics", "", "--events", "-"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0 and "-:2: 1 lines are no events" in done.stderr
    house.wait_until_filled()
    assert len(house.search("--host", "stdin.example")) == 1


def test_tables_and_csv_of_a_search(line: tuple[House, list[str]]) -> None:
    house, sent = line
    alerts = [json.loads(text) for text in sent if '"alert"' in text]
    search = ("centre", "search", "-d", house.centre_directory, "--type", "alert")
    rows = list(
        csv.DictReader(io.StringIO(house.haidang(*search, "--format", "csv", "--limit", "500").stdout))
    )
    assert {int(row["flow_id"]) for row in rows} >= {alert["flow_id"] for alert in alerts}
    table = house.haidang(*search, "--limit", "1", "--sid", str(alerts[0]["alert"]["signature_id"]))
    assert f"TEST rule {alerts[0]['alert']['signature_id']}" in table.stdout and "1 events" in table.stderr


def test_sensors_and_statistics(line: tuple[House, list[str]]) -> None:
    house, _ = line
    (sensor,) = [
        json.loads(text)
        for text in house.haidang(
            "centre", "sensors", "-d", house.centre_directory, "--format", "json"
        ).stdout.splitlines()
    ]
    assert (
        sensor["sensor"] == "tap1"
        and sensor["state"] == "active"
        and sensor["events"] >= 500
        and sensor["lost"] == 0
    )
    assert abs(sensor["skew_ms"]) < 10_000 and sensor["software"].startswith("haidang ")
    told = house.haidang("centre", "stats", "-d", house.centre_directory).stdout
    assert "0 in the journal only" in told and "quarantine" not in told


def test_the_centres_metrics_are_on_loopback(line: tuple[House, list[str]]) -> None:
    house, _ = line
    address = json.loads((house.centre_directory / "run" / "bound.json").read_bytes())["metrics"]
    assert address.startswith("127.0.0.1:")
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        told = answer.read().decode()
    assert 'haidang_centre_events_total{lane="alert"}' in told and "haidang_centre_refused_total 0.0" in told


def test_a_sensor_of_another_centre_is_not_let_in(line: tuple[House, list[str]], tmp_path: Path) -> None:
    house, _ = line
    stranger = tmp_path / "stranger"
    token = house.haidang("centre", "token", "-d", house.centre_directory).stdout.strip()
    forged = msgspec.structs.replace(Token.parse(token), fingerprint=bytes(32)).text()
    refused = house.haidang("sensor", "enrol", forged, "-d", stranger, "--name", "tap7", check=False)
    assert refused.returncode == 2 and "not the one that made this token" in refused.stderr
    assert not (stranger / "centre.json").exists()
    assert "tap7" not in house.haidang("centre", "sensors", "-d", house.centre_directory).stdout


def test_a_revoked_sensor_keeps_its_events(line: tuple[House, list[str]], tmp_path: Path) -> None:
    house, _ = line
    token = house.haidang("centre", "token", "-d", house.centre_directory).stdout.strip()
    house.haidang("sensor", "enrol", token, "-d", tmp_path / "tap2", "--name", "tap2")
    (file,) = write_events(tmp_path, 10, files=1, seed=3)
    house.haidang("centre", "revoke", "-d", house.centre_directory, "tap2")
    run = ("sensor", "run", "-d", tmp_path / "tap2", "--metrics", "", "--drain", "1", "--events", file)
    done = house.haidang(*run, check=False)
    assert done.returncode == 1 and "still enrolled" in done.stderr
    told = house.haidang("sensor", "status", "-d", tmp_path / "tap2", "--json").stdout
    assert sum(book["pending"] for book in json.loads(told)["books"]) == 10
    assert house.search("--sensor", "tap2") == []


def test_the_store_is_made_again_from_the_journal(tmp_path: Path) -> None:
    house = House(tmp_path)
    rebuild = ("centre", "rebuild", "-d", house.centre_directory)
    house.start_centre()
    house.wait_for_centre()
    house.enrol()
    (file,) = write_events(tmp_path, 50, files=1, seed=4)
    house.haidang("sensor", "run", "-d", house.sensor_directory, "--metrics", "", "--events", file)
    house.wait_until_filled()
    assert "is running" in house.haidang(*rebuild, check=False).stderr
    house.close()
    house.haidang(*rebuild)
    house.start_centre()
    house.wait_for_store()
    house.wait_until_filled()
    assert sorted(house.search()) == sorted(file.read_text().splitlines())
    house.close()


def test_ended_in_good_order_it_leaves_nothing_running(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.start_centre()
    house.wait_for_store()
    store = house.store_process_id()
    assert house.centre is not None
    house.centre.terminate()
    assert house.centre.wait(30) == 0
    wait_for(lambda: not Path(f"/proc/{store}").exists(), 10, "the store daemon to end")
    house.close()


@pytest.mark.parametrize(
    "arguments",
    [
        ("centre", "serve", "-d", "{tmp}/none"),
        ("centre", "search", "-d", "{tmp}/none"),
        ("centre", "init", "{tmp}/file"),
        ("centre", "init", "/proc/none"),
        ("centre", "search", "--ip", "1.2.3"),
        ("centre", "search", "--limit", "0"),
        ("centre", "search", "--sid", "-5"),
        ("centre", "nothing"),
        ("centre", "token", "-d", "{tmp}/file"),
        ("sensor", "run", "-d", "{tmp}/none"),
        ("sensor", "run", "-d", "{tmp}/file"),
        ("sensor", "status", "-d", "{tmp}/damaged"),
        ("sensor", "enrol", "hd1.AAAA", "-d", "{tmp}/x"),
        ("sensor", "enrol", "\x1b[31m", "-d", "{tmp}/x"),
        ("sensor", "run", "--quota", "many"),
        ("sensor", "leave", "tcp://127.0.0.1:1", "-d", "{tmp}/none"),
        ("sensor", "enrol", "hd1.AAAA", "-d", "{tmp}/none", "--alternate"),
        ("relay", "status", "-d", "{tmp}/none"),
        ("relay", "join", "hd1.AAAA", "-d", "{tmp}/none"),
        ("relay", "check", "{tmp}/none"),
        ("relay", "check", "{tmp}/damaged/centre.json"),
        ("relay", "trust", "{tmp}/file", "--name", "x", "-d", "{tmp}/none"),
        ("relay", "rescan", "-d", "{tmp}/none"),
        ("bus", "export", "{tmp}/none"),
        ("bus", "export", "{tmp}", "-d", "{tmp}/none"),
        ("bus", "export", "{tmp}", "-d", "{tmp}/none", "--to", "{tmp}/file"),
        ("bus", "export", "{tmp}", "--sensor", "{tmp}/none"),
        ("bus", "import", "{tmp}/none", "-d", "{tmp}/none"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "centre.json").write_text("{")
    command = [*HAIDANG, *(part.replace("{tmp}", str(tmp_path)) for part in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=REPOSITORY, check=False)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("haidang: error: ")
    assert "\x1b" not in done.stderr and "internal fault" not in done.stderr


def test_an_exception_is_tried_on_the_store(line: tuple[House, list[str]]) -> None:
    house, sent = line
    alerts = [json.loads(text) for text in sent if '"alert"' in text]
    sid, source = alerts[0]["alert"]["signature_id"], alerts[0]["src_ip"]
    # What the store has: other tests may have sent the same once more.
    of_rule = [
        json.loads(text) for text in house.search("--sid", str(sid), "--type", "alert", "--limit", "1000")
    ]
    done = house.haidang(
        "rules", "tune", sid, "--by", "src", "--ip", source, "--owner", "Lan", "--reason", "test",
        "--expires", "1d", "--store", house.centre_directory, "--since", "9999d", "--json",
    )  # fmt: skip
    tried = json.loads(done.stdout)["tried"][0]
    assert tried["alerts"] == len(of_rule)
    assert tried["hidden"] == sum(alert["src_ip"] == source for alert in of_rule) >= 1
