"""A centre carried away while it runs, and made again: what it had, once each, and sensors go on with it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from house import House, write_events


def sent(house: House, file: Path) -> list[str]:
    house.haidang("sensor", "run", "-d", house.sensor_directory, "--metrics", "", "--events", file)
    return file.read_text().splitlines()


def everything(house: House) -> Counter[str]:
    return Counter(house.search("--limit", "100000"))


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "stopped"])
def test_a_centre_is_made_again_and_sensors_go_on_with_it(
    house: House, tmp_path: Path, is_running: bool
) -> None:
    house.start_centre()
    house.wait_for_centre()
    house.enrol()
    before = sent(house, write_events(tmp_path / "a", 400, files=1, seed=1)[0])
    house.wait_for_store()
    house.wait_until_filled()
    expected = everything(house)
    assert expected == Counter(before)
    backup = tmp_path / "backup"
    if not is_running:
        house.close()
    told = house.haidang("centre", "backup", backup, "-d", house.centre_directory).stdout
    assert "400 events of the store" in told
    assert {path.stat().st_mode & 0o077 for path in backup.rglob("*") if path.name == "keys.json"} == {0}
    assert "is whole" in house.haidang("centre", "restore", backup, "--check").stdout
    if is_running:
        sent(
            house, write_events(tmp_path / "b", 30, files=1, seed=2)[0]
        )  # acknowledged, and not in the backup
        house.wait_until_filled()
        house.close()
    old, house.centre_directory = house.centre_directory, tmp_path / "again"
    shutil.move(old, tmp_path / "burnt")
    house.haidang("centre", "restore", backup, house.centre_directory)
    house.start_centre()
    house.wait_for_centre()
    after = sent(house, write_events(tmp_path / "c", 50, files=1, seed=3)[0])
    house.wait_for_store()
    house.wait_until_filled()
    assert everything(house) == expected + Counter(after)
    stats = house.haidang("centre", "stats", "-d", house.centre_directory).stdout
    assert ("missing" in stats) is is_running, "what came after the backup is stated, not forgotten"


def test_older_keys_and_the_relays_files_are_carried_along(house: House, tmp_path: Path) -> None:
    house.haidang("centre", "rotate", "-d", house.centre_directory)
    relay = house.centre_directory / "relay"
    relay.mkdir(mode=0o700)
    (relay / "policy.yaml").write_text("# ours\n")
    backup, again = tmp_path / "backup", tmp_path / "again"
    house.haidang("centre", "backup", backup, "-d", house.centre_directory)
    house.haidang("centre", "restore", backup, again)
    (old,) = (house.centre_directory / "keys.old").iterdir()
    assert (again / "keys.old" / old.name).read_bytes() == old.read_bytes()
    assert (again / "keys.old" / old.name).stat().st_mode & 0o777 == 0o600
    assert (again / "relay/policy.yaml").read_text() == "# ours\n"


def test_a_damaged_or_cut_backup_is_refused_whole(house: House, tmp_path: Path) -> None:
    backup, again = tmp_path / "backup", tmp_path / "again"
    house.haidang("centre", "backup", backup, "-d", house.centre_directory)
    index = json.loads((backup / "backup.json").read_text())
    assert {"keys.json", "centre.yaml"} <= set(index["files"])
    done = house.haidang("centre", "backup", backup, "-d", house.centre_directory, check=False)
    assert done.returncode == 2 and "is not empty" in done.stderr
    damaged = backup / "centre.yaml"
    text = damaged.read_bytes()
    damaged.write_bytes(text + b"#")
    for arguments in ((backup, "--check"), (backup, again)):
        done = house.haidang("centre", "restore", *arguments, check=False)
        assert done.returncode == 2 and "is not what was written" in done.stderr
    damaged.unlink()
    done = house.haidang("centre", "restore", backup, again, check=False)
    assert done.returncode == 2 and "is missing" in done.stderr and not again.exists()
    damaged.write_bytes(text)
    (backup / "backup.json").unlink()
    done = house.haidang("centre", "restore", backup, again, check=False)
    assert done.returncode == 2 and "no backup" in done.stderr
    done = house.haidang("centre", "restore", backup, house.centre_directory, check=False)
    assert done.returncode == 2 and "something here already" in done.stderr
    assert house.haidang("centre", "restore", backup, check=False).returncode == 2
