"""`haidang bus keys|rotate` and `haidang centre keys|rotate|revoke --key` against real processes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from house import House, wait_for, write_events


def keys(house: House, owner: str) -> list[dict[str, Any]]:
    told = house.haidang("centre", "keys", "-d", house.centre_directory, "--format", "json").stdout
    return [row for row in map(json.loads, told.splitlines()) if row["owner"] == owner]


def test_keys_are_rotated_on_both_sides_under_a_running_sensor(house: House, tmp_path: Path) -> None:
    directory = house.sensor_directory
    house.start_centre()
    house.wait_for_centre()
    house.enrol()
    files = write_events(tmp_path / "events", 600, files=3, seed=11)
    run = ("sensor", "run", "-d", directory, "--metrics", "", "--events")
    house.haidang(*run, files[0])
    (before,) = keys(house, "tap1")
    (centre_before,) = keys(house, "(centre)")
    assert before["state"] == centre_before["state"] == "active" and before["days"] == 0

    assert "kept" in house.haidang("bus", "rotate", "-d", directory, "--older-than", "90").stdout
    told = house.haidang("bus", "rotate", "-d", directory).stdout
    assert before["key"] in told
    house.haidang("centre", "rotate", "-d", house.centre_directory)
    wait_for(lambda: "sealed to the new key" in house.centre_log.read_text(), 15, "the centre to see its key")
    house.haidang(*run, files[1])
    house.haidang(*run, files[2])
    rows = {row["key"]: row["state"] for row in keys(house, "tap1")}
    assert rows.pop(before["key"]) == "replaced" and list(rows.values()) == ["active"]
    own = {row["key"]: row for row in keys(house, "(centre)")}
    assert own[centre_before["key"]]["state"] == "replaced" and own[centre_before["key"]]["batches"] > 0
    (active,) = [row for row in own.values() if row["state"] == "active"]
    assert active["batches"] > 0, "the sensor learned the new key by itself and seals to it"

    drop = ("centre", "keys", "-d", house.centre_directory, "--drop", centre_before["key"])
    refused = house.haidang(*drop, check=False)
    assert refused.returncode == 2 and "can only be opened with this key" in refused.stderr
    house.wait_for_store()
    house.wait_until_filled()
    sent = Counter(line for path in files for line in path.read_text().splitlines())
    assert Counter(house.search("--limit", "10000")) == sent
    house.haidang(*drop, "--force")
    assert [row["state"] for row in keys(house, "(centre)")] == ["active"]

    listed = [
        json.loads(line)
        for line in house.haidang("bus", "keys", "-d", directory, "--json").stdout.splitlines()
    ]
    assert [(row["owner"], row["state"]) for row in listed] == [("sensor", "active"), ("centre", "active")]
    (fingerprint,) = rows
    assert listed[0]["fingerprint"] == fingerprint
    house.haidang("centre", "revoke", "-d", house.centre_directory, "tap1", "--key", before["key"][:12])
    assert {row["state"] for row in keys(house, "tap1")} == {"revoked", "active"}


def test_a_rotation_without_a_centre_changes_nothing(house: House) -> None:
    house.start_centre()
    house.wait_for_centre()
    house.enrol()
    house.kill_centre()
    before = (house.sensor_directory / "keys.json").read_bytes()
    refused = house.haidang("bus", "rotate", "-d", house.sensor_directory, check=False)
    assert refused.returncode == 2 and "the old keys stay in use" in refused.stderr
    assert (house.sensor_directory / "keys.json").read_bytes() == before
    states = house.haidang("bus", "keys", "-d", house.sensor_directory).stdout
    assert "pending" in states
